"""What daily bars of many symbols cost, from files into the lake and from there into Postgres.

    uv run python -m benchmarks.bronze                  # 50 symbols x 20 years
    uv run python -m benchmarks.bronze --symbols 5000   # 25 million bars
    uv run python -m benchmarks.bronze --small

First the lake's writing beside PyArrow's own of the same tables, in turn, several times; their
medians are compared. Then every year of every symbol is fetched from the source `files`, checked
and stored as a flow run would do it, and what the lake has is loaded into a database, twice.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.market_data.files.source import FileSource
from database.connection import Database, open_database
from database.schema import upgrade_schema
from flows.loading.bars import load_symbol, plan_symbol
from lake.bronze.dataset import BronzeDataset
from lake.bronze.keys import BronzeKey, Stretch
from lake.bronze.request import BronzeRequest
from lake.bronze.rows import bars_table, write_bars
from lake.grain import Grain
from servers.postgres.local import local_postgres
from storage.directory import Directory, open_directory
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.bars.quality.ohlc import SessionPrices
from trading.instruments.calendar import Dates, sessions
from trading.instruments.clock import NEW_YORK

ROUNDS = 3
LAST_YEAR = 2023
KEPT = date(1990, 1, 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--small", action="store_true", help="a short run, to see that it works")
    arguments = parser.parse_args()
    symbols, years = (3, 2) if arguments.small else (arguments.symbols, 20)
    dates = sessions(date(LAST_YEAR - years + 1, 1, 1), date(LAST_YEAR, 12, 31)).dates
    names = [f"S{number:04}" for number in range(symbols)]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _compare_writing(place, [_bars(name, dates) for name in names[:200]])
        _deliver(place / "in", names, dates)
        print(f"{symbols} symbols x {years} years of daily bars, {symbols * len(dates):,} bars")
        lake = str(place / "lake")
        count, first = symbols * len(dates), dates[0].item()
        _measure("files -> lake", count, lambda: _ingest(place / "in", lake, names, first))
        with _database(place / "postgres") as database:
            for what in ("lake -> Postgres", "the same again"):
                _measure(what, count, lambda: _load(lake, database, names))


def _compare_writing(place: Path, sent: list[Bars]) -> None:
    """Whole histories: what the lake adds is a fingerprint, lineage, a sync and a rename."""
    tables = [bars_table(bars) for bars in sent]
    theirs: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        folder = place / f"pyarrow-{number}"
        folder.mkdir()
        theirs.append(_taken(partial(_write_plainly, folder, tables)))
        lake = open_directory(str(place / f"lake-{number}"), "lake_dir")
        ours.append(_taken(partial(_write_to_lake, lake, sent)))
    print(f"{len(sent)} files of {len(sent[0]):,} bars; {ROUNDS} rounds in turn")
    for at, kind in enumerate(("s", "CPU s")):
        plain, written = (statistics.median(one[at] for one in both) for both in (theirs, ours))
        print(f"  PyArrow     {plain:7.2f} {kind}   1.00")
        print(f"  lake        {written:7.2f} {kind}   {plain / written:.2f} of its rate")


def _write_plainly(folder: Path, tables: list[pa.Table]) -> None:
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"{number}.parquet", compression="zstd")


def _write_to_lake(lake: Directory, sent: list[Bars]) -> None:
    nothing = np.empty(0)
    prices = SessionPrices(
        dates=nothing.astype("datetime64[D]"), open=nothing, close=nothing, volume=nothing
    )
    year = Stretch(date(LAST_YEAR, 1, 1), Grain.YEAR)
    for bars in sent:
        key = BronzeKey(bars.symbol, year, Interval.DAY, "files")
        write_bars(lake, key, bars, sessions=prices, revision=0, flow_run_id="")


def _ingest(delivery: Path, lake: str, names: list[str], first: date) -> None:
    """Every partition as a flow run computes it, one after the other."""
    source = FileSource(open_directory(str(delivery), "source_dir"))
    dataset = BronzeDataset(source)
    for name in names:
        request = BronzeRequest(
            source="files", interval=Interval.DAY, symbols=(name,), first=first,
            last=date(LAST_YEAR, 12, 31), grain=Grain.YEAR, lake_dir=lake,
        )  # fmt: skip
        for wanted in dataset.wanted(request, name):
            dataset.compute(request, wanted.key, "")


def _load(lake: str, database: Database, names: list[str]) -> None:
    directory = open_directory(lake, "lake_dir")
    for name in names:
        plan = plan_symbol(
            directory, database, name, Interval.DAY, sources=["files"], first_kept=KEPT
        )
        for _ in load_symbol(database, plan):
            pass


def _deliver(folder: Path, names: list[str], dates: Dates) -> None:
    folder.mkdir()
    for name in names:
        pq.write_table(bars_table(_bars(name, dates)), folder / f"{name}.parquet")


def _bars(name: str, dates: Dates) -> Bars:
    midnights = [datetime(d.year, d.month, d.day, tzinfo=NEW_YORK) for d in dates.tolist()]
    stamps = np.array([m.astimezone(UTC).replace(tzinfo=None) for m in midnights], "datetime64[ns]")
    generator = np.random.default_rng(int(name[1:]))
    close = 100 * np.exp(np.cumsum(generator.normal(0, 0.01, len(stamps))))
    spread = close * generator.uniform(0, 0.01, len(stamps))
    return Bars(
        symbol=name, timestamps=stamps, open=close, high=close + spread, low=close - spread,
        close=close, volume=np.floor(generator.uniform(1e3, 1e6, len(stamps))),
        vwap=np.full(len(stamps), np.nan), trades=np.full(len(stamps), np.nan),
    )  # fmt: skip


@contextmanager
def _database(folder: Path) -> Iterator[Database]:
    with local_postgres(folder) as server:
        upgrade_schema(server.url)
        with open_database(server.url, rebuilds=True) as database:
            yield database


def _measure(what: str, bars: int, work: Callable[[], object]) -> None:
    seconds, cpu = _taken(work)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"  {what:<17}{seconds:8.1f} s   {cpu:6.1f} s of this process   "
        f"{bars / seconds:9,.0f} bars/s   peak {peak:,.0f} MiB"
    )


def _taken(work: Callable[[], object]) -> tuple[float, float]:
    """The seconds that some work took, and the CPU seconds of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
