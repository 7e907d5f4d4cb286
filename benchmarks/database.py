"""What loading bars into Postgres costs, beside ADBC's own ingest of the same tables.

    uv run python -m benchmarks.database
    uv run python -m benchmarks.database --small

Both fill the same table, with its partitions by month, its key and its checks, in turn, several
times; their medians are compared. Then the same bars are loaded again, and again with some changed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from database.bars.batch import BarBatch, batch_of_bars
from database.bars.columns import INSTANT, ROWS
from database.bars.loading import LoadResult, load_bars
from database.bars.months import ensure_months, months_of
from database.bars.reading import read_bars
from database.connection import Database, open_database
from database.schema import upgrade_schema
from servers.postgres.local import local_postgres
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.instruments.calendar import sessions

KNOWN = datetime(2024, 1, 1, tzinfo=UTC)
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
MINUTES = 390
ONE_CHANGED_IN = 1_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a short run, to see that it works")
    small = parser.parse_args().small
    symbols, days, rounds = (2, 30, 1) if small else (20, 129, 3)
    sent = [_bars(number, days) for number in range(symbols)]
    with tempfile.TemporaryDirectory() as folder, _database(Path(folder) / "postgres") as database:
        ensure_months(database, Interval.MINUTE, months_of(sent[0].timestamps))
        _measure(database, sent, rounds)


def _measure(database: Database, sent: list[Bars], rounds: int) -> None:
    first = [batch_of_bars(bars, Interval.MINUTE, "synthetic", KNOWN) for bars in sent]
    later = KNOWN + timedelta(days=1)
    second = [batch_of_bars(_restated(b), Interval.MINUTE, "synthetic", later) for b in sent]
    ingest, load = [], []
    for _ in range(rounds):
        _empty(database)
        ingest.append(_seconds(partial(_ingest, database, first)))
        _empty(database)
        load.append(_seconds(partial(_load, database, first)))
    theirs, ours = statistics.median(ingest), statistics.median(load)
    count = sum(map(len, sent))
    print(f"{count:,} bars of {len(sent)} symbols, one load a symbol; {rounds} rounds in turn")
    print(f"  ADBC ingest {theirs:7.2f} s   1.00")
    print(f"  load        {ours:7.2f} s   {theirs / ours:.2f} of its rate")
    written = _rows_written(database)
    again = _seconds(partial(_load, database, first))
    touched = _rows_written(database) - written
    print(f"  the same    {again:7.2f} s   {theirs / again:.2f}, {touched} rows touched")
    results: list[LoadResult] = []
    changed = _seconds(lambda: results.extend(_load(database, second)))
    touched = _rows_written(database) - written
    updated = sum(result.updated for result in results)
    print(
        f"  corrected   {changed:7.2f} s   {theirs / changed:.2f}, {touched} rows touched, "
        f"{updated} corrected"
    )
    read = _seconds(lambda: [_read(database, bars) for bars in sent])
    print(f"  read        {read:7.2f} s   {theirs / read:.2f}")


def _bars(number: int, days: int) -> Bars:
    """Minutes of the first sessions of 2020."""
    opens = sessions(date(2020, 1, 2), date(2023, 12, 29)).opens[:days]
    stamps = (opens[:, None] + np.arange(MINUTES) * np.timedelta64(60, "s")).ravel()
    generator = np.random.default_rng(number)
    low, price, high = np.sort(generator.uniform(50, 150, (3, len(stamps))), axis=0)
    volume = generator.uniform(0, 1e6, len(stamps))
    return Bars(
        symbol=f"S{number:04}", timestamps=stamps, open=price, high=high, low=low, close=price,
        volume=volume, vwap=price, trades=np.arange(len(stamps), dtype=np.float64),
    )  # fmt: skip


def _restated(bars: Bars) -> Bars:
    volume = bars.volume.copy()
    volume[::ONE_CHANGED_IN] += 1
    return replace(bars, volume=volume)


@contextmanager
def _database(folder: Path) -> Iterator[Database]:
    with local_postgres(folder) as server:
        upgrade_schema(server.url)
        with open_database(server.url) as database:
            with database.tables():
                pass  # what is imported and connected once is nobody's
            yield database


def _ingest(database: Database, sent: list[BarBatch]) -> None:
    """As whoever knows that no row is there might do it, one transaction a symbol."""
    for batch in sent:
        count = len(batch)
        table = pa.table(
            {
                "symbol": pa.repeat(batch.symbol, count),
                **{name: batch.rows.column(name) for name in ROWS.names},
                "source": pa.repeat(batch.source, count),
                "known_at": pa.repeat(pa.scalar(batch.known_at, INSTANT), count),
                "run_id": pa.repeat(pa.scalar(0, pa.int64()), count),
            }
        )
        with database.tables() as cursor:
            cursor.adbc_ingest("bar_1m", table, mode="append")


def _load(database: Database, sent: list[BarBatch]) -> list[LoadResult]:
    return [load_bars(database, batch) for batch in sent]


def _read(database: Database, bars: Bars) -> int:
    return len(read_bars(database, bars.symbol, Interval.MINUTE, START, END))


def _empty(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("TRUNCATE bar_1m, correction, load_run")
    with database.transaction() as connection:
        # Neither side pays for what the other has written.
        connection.execute("CHECKPOINT")


def _rows_written(database: Database) -> int:
    """How many versions of rows of bars the server has made or ended."""
    with database.tables() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    with database.transaction() as connection:
        row = connection.execute(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_all_tables "
            "WHERE relname ~ '^bar_1m_'"
        ).fetchone()
    return int(row[0]) if row and row[0] else 0


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
