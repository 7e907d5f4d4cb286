from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from database.bars import retention
from database.bars.batch import batch_of_table
from database.bars.loading import load_bars
from database.bars.months import ensure_months, month_table, months_present, next_month
from database.bars.reading import read_bars
from database.bars.retention import drop_expired_months, expired_months
from database.connection import Database, open_database
from tests.database.batches import KNOWN, START, assert_same, bars, batch, minutes, rows
from tests.waiting import wait_until
from trading.bars.intervals import Interval
from trading.bars.model import Bars, joined
from trading.errors import ParameterError

TODAY = date(2024, 2, 15)
EARLY, JANUARY, FEBRUARY = date(2018, 11, 1), date(2019, 1, 1), date(2019, 2, 1)
END = datetime(2030, 1, 1, tzinfo=UTC)


def month_of(day: str, symbol: str = "AAPL") -> Bars:
    return bars(minutes(5, np.datetime64(f"{day}T14:30", "ns")), symbol=symbol)


@pytest.fixture
def years(database: Database) -> Bars:
    """Bars in five months, of which two are older than five years."""
    content = joined(
        [month_of(day) for day in ("2018-11-30", "2019-01-31", "2019-02-01", "2024-02-01")], "AAPL"
    )
    load_bars(database, batch(content))
    load_bars(database, batch(month_of("2019-01-02", "MSFT")))
    return content


def yes(_: Interval, __: str, ___: date, ____: pa.Table) -> bool:
    return True


def log(database: Database) -> list[tuple[object, ...]]:
    return rows(database, "SELECT month, state, rows FROM retention_log ORDER BY id")


def test_whole_months_alone_are_old_enough(database: Database, years: Bars) -> None:
    assert expired_months(database, Interval.MINUTE, 5, TODAY) == [EARLY, JANUARY]
    assert expired_months(database, Interval.MINUTE, 5, date(2024, 3, 1)) == [
        EARLY, JANUARY, FEBRUARY,
    ]  # fmt: skip
    assert expired_months(database, Interval.DAY, 5, TODAY) == []
    with pytest.raises(ParameterError, match="years=0 is not 1 or more"):
        expired_months(database, Interval.MINUTE, 0, TODAY)


def test_what_the_lake_has_is_dropped_and_noted(database: Database, years: Bars) -> None:
    asked: list[tuple[Interval, str, date, int]] = []

    def verified(interval: Interval, symbol: str, month: date, stored: pa.Table) -> bool:
        asked.append((interval, symbol, month, len(stored)))
        if symbol == "MSFT":
            again = batch_of_table(stored, symbol, interval, "polygon", KNOWN)
            assert again.digest == batch(month_of("2019-01-02", "MSFT")).digest
        return True

    outcomes = drop_expired_months(database, Interval.MINUTE, 5, TODAY, verified)
    assert [(o.month, o.state, o.rows) for o in outcomes] == [
        (EARLY, "dropped", 5), (JANUARY, "dropped", 10),
    ]  # fmt: skip
    assert asked == [
        (Interval.MINUTE, "AAPL", EARLY, 5),
        (Interval.MINUTE, "AAPL", JANUARY, 5),
        (Interval.MINUTE, "MSFT", JANUARY, 5),
    ]
    assert_same(read_bars(database, "AAPL", Interval.MINUTE, START, END), years[10:])
    assert log(database) == [(EARLY, "dropped", 5), (JANUARY, "dropped", 10)]
    assert drop_expired_months(database, Interval.MINUTE, 5, TODAY, verified) == []


def test_a_month_that_the_lake_lacks_is_kept_until_it_has_it(
    database: Database, years: Bars
) -> None:
    def verified(_: Interval, symbol: str, __: date, ___: pa.Table) -> bool:
        return symbol != "MSFT"

    [_, kept] = drop_expired_months(database, Interval.MINUTE, 5, TODAY, verified)
    assert (kept.month, kept.state) == (JANUARY, "kept")
    assert kept.reason == "the lake does not have all bars of MSFT that the database has"
    assert months_present(database, Interval.MINUTE)[0] == JANUARY
    [dropped] = drop_expired_months(database, Interval.MINUTE, 5, TODAY, yes)
    assert (dropped.month, dropped.state) == (JANUARY, "dropped")


def test_a_drop_that_fails_is_tried_again_by_the_next_run(
    database: Database, database_url: str, years: Bars, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOCK_SECONDS", 0.05)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT FROM bar_1m_2018_11")
        [failed, dropped] = drop_expired_months(database, Interval.MINUTE, 5, TODAY, yes)
        assert (failed.month, failed.state) == (EARLY, "failed")
        assert "lock timeout" in str(failed.reason)
        assert (dropped.month, dropped.state) == (JANUARY, "dropped")
    assert_same(read_bars(database, "AAPL", Interval.MINUTE, START, END)[:5], years[:5])
    drop_expired_months(database, Interval.MINUTE, 5, TODAY, yes)
    assert months_present(database, Interval.MINUTE)[0] == FEBRUARY


def test_a_verification_that_fails_is_noted_and_told(database: Database, years: Bars) -> None:
    def unreachable(_: Interval, __: str, ___: date, ____: pa.Table) -> bool:
        raise ConnectionError("the lake does not answer")

    with pytest.raises(ConnectionError):
        drop_expired_months(database, Interval.MINUTE, 5, TODAY, unreachable)
    assert log(database) == [(EARLY, "failed", None)]
    assert months_present(database, Interval.MINUTE)[0] == EARLY


KILLED = """
import sys
from datetime import date
from database.bars.retention import drop_expired_months
from database.connection import open_database
from trading.bars.intervals import Interval

def verified(*_):
    print("verifying", flush=True)
    sys.stdin.read()
    return True

with open_database(sys.argv[1]) as database:
    drop_expired_months(database, Interval.MINUTE, 5, date(2024, 2, 15), verified)
"""


def test_a_run_killed_between_verification_and_drop_is_made_good_by_the_next(
    database: Database, database_url: str, years: Bars
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "verifying\n"
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    assert months_present(database, Interval.MINUTE)[0] == EARLY
    drop_expired_months(database, Interval.MINUTE, 5, TODAY, yes)
    assert log(database) == [
        (EARLY, "interrupted", None), (EARLY, "dropped", 5), (JANUARY, "dropped", 10),
    ]  # fmt: skip


def test_no_bar_comes_between_verification_and_drop(
    database: Database, database_url: str, years: Bars
) -> None:
    late = batch(month_of("2018-11-29"))
    waiting: list[subprocess.Popen[bytes]] = []

    def verified(_: Interval, __: str, month: date, ___: pa.Table) -> bool:
        if month == EARLY:
            command = [sys.executable, "-c", LOADER, database_url]
            waiting.append(subprocess.Popen(command))
            wait_until(lambda: _waits(database_url), "the load waits for the retention")
        return True

    drop_expired_months(database, Interval.MINUTE, 5, TODAY, verified)
    assert waiting[0].wait() == 0
    # It found its month gone, made it anew, and the bars are there, to be verified next time.
    found = read_bars(database, "AAPL", Interval.MINUTE, START, datetime(2019, 1, 1, tzinfo=UTC))
    assert len(found) == len(late) == 5


LOADER = """
import sys
from database.bars.loading import load_bars
from database.connection import open_database
from tests.database.batches import batch
from tests.database.test_retention import month_of

with open_database(sys.argv[1]) as database:
    assert load_bars(database, batch(month_of("2018-11-29"))).inserted == 5
"""


def _waits(url: str) -> bool:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ).fetchone()
    return row is not None and row[0] > 0


def test_months_are_made_once_however_many_ask(database: Database, database_url: str) -> None:
    wanted = [date(2024, month, 1) for month in (12, 1, 2)]
    with open_database(database_url) as other:
        # A reader's transaction that is still open keeps nobody waiting.
        other.rows.execute("BEGIN; SELECT FROM bar_1m")
        ensure_months(database, Interval.MINUTE, wanted)
        other.rows.execute("ROLLBACK")
        ensure_months(other, Interval.MINUTE, [*wanted, date(2025, 1, 1)])
    assert months_present(database, Interval.MINUTE) == [*sorted(wanted), date(2025, 1, 1)]
    assert month_table(Interval.DAY, JANUARY) == "bar_1d_2019_01"
    assert [next_month(m) for m in (JANUARY, date(2019, 12, 1))] == [FEBRUARY, date(2020, 1, 1)]
