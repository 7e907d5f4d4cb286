"""`trading lake build`: silver and gold, whatever is not up to date."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cli.commands.lake.medallion_run import (
    RunOptions,
    as_lines,
    as_object,
    require_extra,
    run_medallion,
)
from cli.commands.lake.selection import (
    Selection,
    check_strategies,
    check_symbols,
    lake_of,
    medallion_parameters,
)

if TYPE_CHECKING:
    from cli.pipeline.flow_in_process import EndedFlow
    from flows.boundary.settings import Settings


def run_build(selection: Selection, options: RunOptions, *, reprocess: bool) -> int:
    """Run the layers and print what came of it; returns the exit code.

    Args:
        selection: What to build.
        options: How.
        reprocess: Whether to make what is up to date as well.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    asked = medallion_parameters(selection, "", reprocess=reprocess)  # refuses what is no value
    require_extra("talib")
    check_strategies(selection)

    def of_lake(settings: Settings) -> dict[str, Any]:
        lake = lake_of(selection, settings)
        check_symbols(selection, lake)
        return asked | {"lake_dir": lake}

    def told(ended: EndedFlow, lake_dir: str, seconds: float) -> str:
        if options.json:
            return json.dumps(as_object(ended, lake_dir, seconds))
        return "\n".join(as_lines(ended, lake_dir, seconds))

    return run_medallion(
        f"Building {' and '.join(asked['layers'])}",
        of_lake,
        told,
        options,
    )
