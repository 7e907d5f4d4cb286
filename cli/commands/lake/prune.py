"""`trading lake prune`: drop months from the database that are too old, and that the lake has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.commands.lake.question import LakeQuestion
from cli.commands.lake.question import lake_dir as lake_of
from cli.database import database_url
from cli.display.progress import progress_display
from cli.pipeline.failures import named_server
from cli.pipeline.query import as_json
from cli.settings import installation
from servers.errors import FAILED
from storage.directory import open_directory

if TYPE_CHECKING:
    from database.bars.retention import MonthOutcome
    from database.connection import Database

DUE = "due"
DROPPED = "dropped"


def run_prune(lake_dir: str | None, server_dir: Path, *, dry_run: bool, as_object: bool) -> int:
    """Drop what is too old and what the lake has; returns the exit code.

    Args:
        lake_dir: The lake; None for the settings'.
        server_dir: Where a local database keeps its data.
        dry_run: Whether to print the months and stop.
        as_object: Whether to print one JSON object instead of text.

    Raises:
        CommandError, FileError: The lake cannot be read.
        DatabaseError: The database does not answer.
    """
    settings = installation()
    named_server(settings)  # the settings' credentials, where a block has them
    place = lake_of(LakeQuestion(lake_dir=lake_dir), settings)
    today = datetime.now(UTC).date()
    with progress_display() as display, database_url(settings, server_dir) as url:
        from database.connection import open_database  # noqa: PLC0415 - an extra brings it

        display.phase("Comparing months that are too old with the lake")
        with open_database(url) as database:
            if dry_run:
                outcomes = _due(database, settings.database_years, today)
            else:
                outcomes = _dropped(database, place, settings.database_years, today)
    typer.echo(_object(place, outcomes) if as_object else _text(place, outcomes))
    return 0 if all(outcome.state in {DUE, DROPPED} for outcome in outcomes) else FAILED


def _due(database: Database, years: int, today: date) -> list[MonthOutcome]:
    from database.bars.retention import MonthOutcome, expired_months  # noqa: PLC0415 - an extra
    from flows.loading.loading import KEPT  # noqa: PLC0415 - as above

    return [
        MonthOutcome(interval=interval, month=month, state=DUE)
        for interval in KEPT
        for month in expired_months(database, interval, years, today)
    ]


def _dropped(database: Database, place: str, years: int, today: date) -> list[MonthOutcome]:
    from flows.loading.loading import drop_old_months  # noqa: PLC0415 - an extra

    return drop_old_months(database, open_directory(place, "lake_dir"), years, today)


def _object(place: str, outcomes: Sequence[MonthOutcome]) -> str:
    months = [
        {
            "interval": outcome.interval.value,
            "month": f"{outcome.month:%Y-%m}",
            "state": outcome.state,
            "bars": outcome.rows,
            "reason": outcome.reason,
        }
        for outcome in outcomes
    ]
    return as_json({"lake_dir": place, "months": months})


def _text(place: str, outcomes: Sequence[MonthOutcome]) -> str:
    lines = [f"Lake  {place}", ""]
    for outcome in outcomes:
        bars = "" if outcome.rows is None else f", {outcome.rows:,} bars"
        reason = f": {outcome.reason}" if outcome.reason else ""
        lines.append(
            f"{outcome.interval.value} {outcome.month:%Y-%m}  {outcome.state}{bars}{reason}"
        )
    return "\n".join(lines if outcomes else [*lines, "The database has no month that is too old."])
