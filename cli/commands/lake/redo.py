"""`trading lake redo`: partitions of any layer made again, whether they are up to date or not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from cli.commands.lake.build import run_build
from cli.commands.lake.medallion_run import RunOptions, require_extra
from cli.commands.lake.selection import Selection, gold_requests, lake_of, silver_request
from cli.settings import installation
from lake.dataset import Dataset
from lake.gold.dataset import GoldDataset
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from servers.errors import USAGE, CommandError


def run_redo(selection: Selection, options: RunOptions, *, dry_run: bool) -> int:
    """Make the partitions of silver or gold again, or name them; returns the exit code.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    if not dry_run:
        return run_build(selection, options, reprocess=True)
    require_extra("talib")
    files = list(partition_files(selection, lake_of(selection, installation())))
    typer.echo(files_text(files, as_object=options.json))
    return 0


def layer_to_redo(layer: str | None, *, only_gaps: bool) -> str:
    """The layer that is to be made again.

    Args:
        layer: The layer that was named, if any.
        only_gaps: Whether partitions with an open gap are meant.

    Raises:
        CommandError: It is not said which, or the layer has no gaps.
    """
    if layer is None and not only_gaps:
        raise CommandError(
            "It is not said what to make again; pass --gaps for bronze with open gaps, or a "
            "layer, e.g. trading lake redo silver --symbols AAPL.",
            USAGE,
        )
    if only_gaps and layer in ("silver", "gold"):
        raise CommandError(
            f"--gaps is of bronze, and {layer} has none; leave it out, or run trading lake redo "
            "--gaps.",
            USAGE,
        )
    return layer or "bronze"


def files_text(files: Sequence[str], *, as_object: bool) -> str:
    """The files of the partitions that would be made again."""
    if as_object:
        return json.dumps({"partitions": list(files)})
    return "\n".join(files) or "There is no such partition."


def partition_files(selection: Selection, lake_dir: str) -> Iterator[str]:
    """The files of all partitions that are asked for, there or not.

    Raises:
        CommandError, TradingError: An option cannot be used, or the lake not be looked at.
    """
    asked: list[tuple[Dataset[Any, Any], Any]] = []
    if selection.layer == "silver":
        request = silver_request(selection, lake_dir)
        asked += [(SilverDataset(), request), (SilverDaysDataset(), request)]
    else:
        asked += [(GoldDataset(), request) for request in gold_requests(selection, lake_dir)]
    for dataset, request in asked:
        for symbol in dataset.symbols(request):
            for wanted in dataset.wanted(request, symbol):
                yield wanted.key.relative_path
