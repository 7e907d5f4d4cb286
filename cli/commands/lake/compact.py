"""`trading lake compact`: the session files of settled months into a file for each month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import typer

from cli.commands.lake.selection import symbol_names
from cli.display.progress import progress_display
from cli.pipeline.failures import named_server
from cli.pipeline.query import as_json
from cli.settings import existing_lake, installation
from lake.compaction.compacting import MonthOutcome, MonthState, compact
from servers.errors import FAILED
from storage.directory import open_directory


def run_compact(
    lake_dir: str | None,
    symbols: str | None,
    *,
    grace_minutes: float,
    dry_run: bool,
    as_object: bool,
) -> int:
    """Compact and print what became of each month; returns the exit code.

    Args:
        lake_dir: The lake; None for the settings'.
        symbols: Whose files, e.g. `AAPL,MSFT`; None for all.
        grace_minutes: How long session files stay after their month was written.
        dry_run: Whether to print the months and stop.
        as_object: Whether to print one JSON object instead of text.

    Raises:
        CommandError, FileError, ParameterError: The lake cannot be read or is not there, or a
            symbol is none.
    """
    settings = installation()
    named_server(settings)  # the settings' credentials, where a block has them
    place = existing_lake(lake_dir, settings.lake_dir)
    named = symbol_names(symbols)
    with progress_display() as display:
        outcomes = compact(
            open_directory(place, "lake_dir"),
            datetime.now(UTC),
            symbols=named,
            grace=timedelta(minutes=grace_minutes),
            dry_run=dry_run,
            told=lambda folder: display.phase(f"Looking at {folder}"),
        )
    typer.echo(_object(place, outcomes) if as_object else _text(place, outcomes))
    return FAILED if any(one.state is MonthState.FAILED for one in outcomes) else 0


def _object(place: str, outcomes: Sequence[MonthOutcome]) -> str:
    return as_json({"lake_dir": place, "months": [asdict(one) for one in outcomes]})


def _text(place: str, outcomes: Sequence[MonthOutcome]) -> str:
    lines = [f"Lake  {place}", ""]
    lines += [
        f"{one.folder} {one.month}  failed: {one.reason}"
        for one in outcomes
        if one.state is MonthState.FAILED
    ]
    counts = Counter(one.state for one in outcomes)
    if counts[MonthState.DUE]:
        lines.append(f"{counts[MonthState.DUE]:,} months have session files to compact.")
    if written := sum(one.written for one in outcomes):
        lines.append(f"{written:,} session files are in month files now.")
    if removed := sum(one.removed for one in outcomes):
        lines.append(f"{removed:,} session files are removed, which month files have.")
    if waiting := counts[MonthState.WAITING]:
        lines.append(
            f"The session files of {waiting:,} months stay for those who are reading them; a later "
            "run removes them."
        )
    return "\n".join(lines if outcomes else [*lines, "No settled month has session files."])
