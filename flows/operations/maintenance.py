"""`maintenance`: the lake's months into files, old months and rows out of the database."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from database.clearing import clear_old
from database.connection import open_database
from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
from flows.boundary.parameters import LakeDir, lake_url
from flows.boundary.settings import settings
from flows.loading.loading import drop_old_months
from flows.operations.watched import named_database
from flows.runs import rendering
from lake.compaction.compacting import compact
from storage.directory import open_directory

Row = tuple[str, str, str]

_UNFINISHED = {"kept", "failed"}


@flow(name="maintenance", flow_run_name="maintenance")
@domain_errors_fail_run
@documented
async def maintenance(
    keep_days: Annotated[
        int,
        Field(
            ge=7,
            le=3650,
            description="Days for which live bars and signals are kept.",
            examples=[90],
        ),
    ] = 90,
    lake_dir: LakeDir = None,
) -> list[Row]:
    """Compact the lake, drop months older than TRADING_DATABASE_YEARS and old rows of live tables.

    The lake's session files of a settled month become one file, without a change of what is read.
    A month of the database is dropped only when the lake has every bar of it. Orders, executions,
    the ledger and the audit are kept for good.
    """
    place = lake_url(lake_dir)
    rows = await asyncio.to_thread(compacted_months, place)
    rows += await asyncio.to_thread(_clear, named_database(), place, keep_days)
    kept = [row for row in rows if row[1] in _UNFINISHED]
    text = f"{len(rows) - len(kept)} months and tables in order, {len(kept)} left as they were"
    await acreate_markdown_artifact(
        "# Maintenance\n\n" + rendering.table(("what", "state", "why"), rows),
        key="maintenance",
        description=text,
    )
    get_run_logger().info("%s", text)
    if kept:
        what, _, why = kept[0]
        raise UnfinishedError(f"{text}; {what}: {why}", rows)
    return rows


def compacted_months(place: str) -> list[Row]:
    """Compact a lake; what became of each month that has session files."""
    found = compact(open_directory(place, "lake_dir"), datetime.now(UTC))
    return [
        (
            f"{one.folder} {one.month}",
            one.state.value,
            one.reason or f"{one.written} sessions written, {one.removed} files removed",
        )
        for one in found
    ]


def _clear(url: str, place: str, keep_days: int) -> list[Row]:
    now = datetime.now(UTC)
    with open_database(url) as database:
        months = drop_old_months(
            database, open_directory(place, "lake_dir"), settings().database_years, now.date()
        )
        gone = clear_old(database, now - timedelta(days=keep_days))
    rows = [
        (f"{one.interval.value} {one.month:%Y-%m}", one.state, one.reason or "") for one in months
    ]
    return rows + [(table, f"{count:,} rows", "older") for table, count in gone.items() if count]
