"""`maintenance`: the lake's months into files, what is old out of the database and the logs."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from database.clearing import CLEARED, clear_old
from database.connection import open_database
from database.errors import DatabaseError
from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
from flows.boundary.parameters import LakeDir, lake_url
from flows.boundary.settings import settings
from flows.loading.loading import drop_old_months
from flows.operations.old_logs import LOG_DIR, remove_old_logs
from flows.operations.watched import named_database
from flows.runs import rendering
from lake.compaction.compacting import compact
from storage.directory import open_directory
from storage.errors import FileError
from trading.errors import TradingError

Row = tuple[str, str, str]

LOG_DAYS = 30
"""Days for which a log is kept."""

_FAILED = "failed"
_UNFINISHED = {"kept", _FAILED}


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
    the ledger and the audit are kept for good. Logs of TRADING_LOG_DIR are kept for 30 days.

    Ends Failed when something could not be done, after everything else has been tried.
    """
    place, now = lake_url(lake_dir), datetime.now(UTC)
    rows = await asyncio.to_thread(_all_steps, place, now, keep_days)
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


def _all_steps(place: str, now: datetime, keep_days: int) -> list[Row]:
    """Every step, whatever becomes of the others."""
    rows = _tried("the lake", partial(compacted_months, place))
    if settings().database_url is None:
        rows.append(("the database", "off", "none is named by TRADING_DATABASE_URL"))
    else:
        rows += _tried("months of the database", partial(_dropped_months, place, now))
        before = now - timedelta(days=keep_days)
        for table in CLEARED:
            rows += _tried(table, partial(_cleared, table, before))
    return rows + _tried("logs", partial(_removed_logs, now))


def _tried(what: str, step: Callable[[], list[Row]]) -> list[Row]:
    try:
        return step()
    except (DatabaseError, FileError, TradingError, OSError) as error:
        return [(what, _FAILED, str(error))]


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


def _dropped_months(place: str, now: datetime) -> list[Row]:
    with open_database(named_database()) as database:
        lake = open_directory(place, "lake_dir")
        months = drop_old_months(database, lake, settings().database_years, now.date())
    return [
        (f"{one.interval.value} {one.month:%Y-%m}", one.state, one.reason or "") for one in months
    ]


def _cleared(table: str, before: datetime) -> list[Row]:
    with open_database(named_database()) as database:
        count = clear_old(database, table, before)
    return [(table, f"{count:,} rows", "older")] if count else []


def _removed_logs(now: datetime) -> list[Row]:
    folder = os.environ.get(LOG_DIR)
    if not folder or not Path(folder).is_dir():
        return []
    gone = remove_old_logs(Path(folder), (now - timedelta(days=LOG_DAYS)).date())
    return [("logs", f"{len(gone)} files", "older")] if gone else []
