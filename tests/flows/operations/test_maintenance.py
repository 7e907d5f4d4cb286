"""`maintenance` as it runs on Sundays: a real lake, a real Postgres and a real Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from database.bars import retention
from database.bars.months import months_present
from database.connection import Database
from database.live.bars import save_live_bars
from database.live.signals import save_signals
from flows.boundary.settings import settings
from flows.loading import loading
from flows.loading.loading import drop_old_months
from flows.loading.verification import LakeVerification
from storage.errors import StorageError
from tests.flows.conftest import Ended, Pipeline
from tests.flows.loading.bronze import days, load, minutes, put
from tests.lake.bronze.deliveries import Lake
from tests.trading.alerts.given import OPEN, SECOND, bar, signal
from trading.bars.intervals import Interval

TODAY = datetime.now(UTC)
FOLDER = "bronze/polygon/1m/AAPL"
LOGS = {
    "windows.log": True,
    f"windows.log.{TODAY - timedelta(days=29):%Y-%m-%d}": True,
    f"windows.log.{TODAY - timedelta(days=31):%Y-%m-%d}": False,
    f"gone.log.{TODAY - timedelta(days=400):%Y-%m-%d}": False,
    "windows.out": True,
    "mine.log.2001-13-45": True,
    "notes.2001-01-01": True,
}
"""Files of a folder for logs, and whether each is kept."""


@dataclass(frozen=True)
class Installation:
    """What a Sunday finds.

    Attributes:
        lake: Sessions of two months, one of them with a damaged file.
        database: Daily bars of 2000, 2001 and 2002; live bars and signals of 89 and 91 days ago.
        logs: Those of `LOGS`.
    """

    lake: Lake
    database: Database
    logs: Path

    def state(self) -> dict[str, object]:
        """All that there is, by place."""
        with self.database.transaction() as rows:
            counts = {
                table: rows.execute(f"SELECT count(*) FROM {table}".encode()).fetchall()  # noqa: S608 - ours
                for table in ("live_bar", "signal", "service_heartbeat", "bar_1d")
            }
        return {
            "files": {
                file: file.stat().st_mtime_ns for file in self.lake.folder.rglob("*.parquet")
            },
            "months": months_present(self.database, Interval.DAY),
            "logs": sorted(file.name for file in self.logs.iterdir()),
            **counts,
        }


def aged(days_ago: int) -> int:
    """Minutes from the first bar of `given` to the minute so many days ago."""
    return (int((TODAY - timedelta(days=days_ago)).timestamp()) - OPEN // SECOND) // 60


@pytest.fixture
def here(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    lake, logs = Lake(tmp_path / "lake"), tmp_path / "logs"
    for year in (2000, 2001, 2002):
        put(lake, days(date(year, 1, 3), date(year, 1, 7)), str(year))
        load(lake, database, first_kept=date(2000, 1, 1))
    for day in (date(2003, 1, 2), date(2003, 1, 3), date(2003, 2, 3), date(2003, 2, 4)):
        put(lake, minutes(day), f"{day:%Y%m%d}", interval=Interval.MINUTE)
    damaged = lake.folder / FOLDER / "20030204.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    save_live_bars(database, [bar(aged(age), 100.0) for age in (89, 91)])
    save_signals(database, [signal(aged(age), "hold") for age in (89, 91)])
    logs.mkdir()
    for name in LOGS:
        (logs / name).write_text("{}")
    monkeypatch.setenv("TRADING_LAKE_DIR", str(lake.folder))
    monkeypatch.setenv("TRADING_DATABASE_URL", database.url)
    monkeypatch.setenv("TRADING_LOG_DIR", str(logs))
    settings.cache_clear()
    yield Installation(lake, database, logs)
    settings.cache_clear()


async def maintained(pipeline: Pipeline) -> tuple[Ended, str]:
    """A run, and its artifact."""
    ended = await pipeline.run("maintenance/maintenance", {})
    return ended, str((await pipeline.artifacts(ended.id))["maintenance"])


async def test_each_thing_is_tidied_up_whatever_becomes_of_the_others(
    pipeline: Pipeline, here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.lake.folder / "bronze/polygon/1d/AAPL/2001.parquet").unlink()
    monkeypatch.setattr(retention, "LOCK_SECONDS", 0.05)
    with psycopg.connect(here.database.url) as reader:
        reader.execute("SELECT FROM bar_1d_2000_01")
        ended, told = await maintained(pipeline)
    assert ended.state.is_failed()
    assert ended.message.startswith("5 months and tables in order, 3 left as they were; ")
    assert f"{FOLDER} 2003-01 | waiting | 2 sessions written, 0 files removed" in told
    assert f"{FOLDER} 2003-02 | failed" in told
    assert "20030204.parquet: the file is damaged" in told
    assert "1d 2000-01 | failed" in told
    assert "lock timeout" in told
    assert "1d 2001-01 | kept | the lake does not have all bars of AAPL" in told
    assert "1d 2002-01 | dropped" in told
    assert "live_bar | 1 rows | older" in told
    assert "signal | 1 rows | older" in told
    assert "logs | 2 files | older" in told
    assert months_present(here.database, Interval.DAY) == [date(2000, 1, 1), date(2001, 1, 1)]
    assert sorted(file.name for file in here.logs.iterdir()) == sorted(
        name for name, kept in LOGS.items() if kept
    )
    # What could not be done has its turn, and then nothing is left to do.
    await maintained(pipeline)
    assert months_present(here.database, Interval.DAY) == [date(2001, 1, 1)]
    before = here.state()
    again, told = await maintained(pipeline)
    assert here.state() == before
    assert "1d 2001-01 | kept" in told
    assert "rows | older" not in told
    assert again.message.startswith("1 months and tables in order, 2 left as they were; ")


async def test_without_its_database_the_rest_is_done_and_what_was_not_is_said(
    pipeline: Pipeline, here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/books")
    settings.cache_clear()
    ended, told = await maintained(pipeline)
    assert ended.state.is_failed()
    assert f"{FOLDER} 2003-01 | waiting" in told
    assert "months of the database | failed | The database at 127.0.0.1:1" in told
    assert "logs | 2 files" in told
    assert "secret" not in told + ended.message
    monkeypatch.delenv("TRADING_DATABASE_URL")
    settings.cache_clear()
    _, told = await maintained(pipeline)
    assert "the database | off | none is named by TRADING_DATABASE_URL" in told


def test_a_month_that_cannot_be_compared_fails_and_stops_no_other(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(LakeVerification):
        def __call__(self, interval: Interval, symbol: str, month: date, stored: pa.Table) -> bool:
            if month == date(2000, 1, 1):
                raise StorageError("s3://lake", "the store does not answer", "run again")
            return super().__call__(interval, symbol, month, stored)

    monkeypatch.setattr(loading, "LakeVerification", Away)
    found = drop_old_months(here.database, here.lake.directory, 5, TODAY.date())
    assert [(one.month.year, one.state) for one in found] == [
        (2000, "failed"), (2001, "dropped"), (2002, "dropped"),
    ]  # fmt: skip
    assert found[0].reason == "s3://lake: the store does not answer; run again."
