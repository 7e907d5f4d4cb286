"""What of a symbol's bronze the database lacks, and bringing it there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from database.bars.batch import batch_of_bars
from database.bars.loading import LoadResult, load_bars
from database.bars.removal import remove_bars
from database.connection import Database
from database.loads import LoadInForce, loads_in_force
from lake.bronze.counted import CountedBronze, counted_bronze
from lake.silver.bronze_rows import BronzeFile
from storage.directory import Directory
from trading.bars.intervals import Interval
from trading.instruments.clock import NEW_YORK, to_datetime64


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SymbolPlan:
    """What is to be loaded of one symbol and interval.

    Attributes:
        symbol: The symbol.
        interval: The interval.
        bronze: Its bars in the lake.
        due: The files to load, in order of time.
        up_to_date: How many files are loaded as they are now.
        replaces: Whether the database has bars of files that count no longer, so that all of the
            symbol's are removed first.
    """

    symbol: str
    interval: Interval
    bronze: CountedBronze
    due: tuple[BronzeFile, ...]
    up_to_date: int
    replaces: bool


def plan_symbol(
    directory: Directory,
    database: Database,
    symbol: str,
    interval: Interval,
    *,
    sources: Sequence[str],
    first_kept: date,
) -> SymbolPlan:
    """Compare the lake's files of a symbol with the loads that the database has had.

    Args:
        directory: The lake.
        database: The database.
        symbol: The symbol.
        interval: `1m` or `1d`.
        sources: Sources of bronze, the one that counts first at the front.
        first_kept: The first month that the database keeps, by its first day in UTC.

    Raises:
        DataError, FileError: The lake cannot be read.
        DatabaseError: The database does not answer.
    """
    # The evening in New York belongs to the next day of UTC.
    first = first_kept - timedelta(days=interval.is_intraday)
    bronze = counted_bronze(directory, symbol, interval, sources, first=first)
    loads = loads_in_force(database, symbol, interval, first_kept)
    replaces = _has_others(bronze, loads, first_kept)
    files = [file for file in bronze.files if len(sources) == 1 or bronze.has_sessions(file)]
    due = [
        file
        for file in sorted(files, key=lambda file: file.stretch)
        if replaces or not any(_is_of(load, file, bronze.written[file.name]) for load in loads)
    ]
    return SymbolPlan(
        symbol=symbol, interval=interval, bronze=bronze, due=tuple(due),
        up_to_date=len(files) - len(due), replaces=replaces,
    )  # fmt: skip


def load_symbol(database: Database, plan: SymbolPlan) -> Iterator[LoadResult]:
    """Load the files of a plan, each in a transaction of its own.

    Yields:
        What became of each.

    Raises:
        DataError, FileError: A file cannot be read or loaded.
        DatabaseError: The database did not take one.
    """
    if plan.replaces:
        remove_bars(database, plan.symbol, plan.interval)
    for file in plan.due:
        known_at = plan.bronze.written[file.name]
        batch = batch_of_bars(plan.bronze.rows(file), plan.interval, file.source, known_at)
        yield load_bars(database, batch)


def _has_others(bronze: CountedBronze, loads: Sequence[LoadInForce], first_kept: date) -> bool:
    """Whether a bar was loaded from a source that does not count for its day, or has none of it."""
    since = to_datetime64(datetime.combine(first_kept, time(), UTC))
    for source in {load.source for load in loads}:
        stamps = np.concatenate([load.timestamps for load in loads if load.source == source])
        if not bronze.counts(source, stamps[stamps >= since]).all():
            return True
    return False


def _is_of(load: LoadInForce, file: BronzeFile, written: datetime) -> bool:
    """Whether a load brought this file as it is now, and all of it is there."""
    if load.source != file.source or load.known_at != written or not load.is_whole:
        return False
    start = load.timestamps[0].astype("datetime64[us]").item().replace(tzinfo=UTC)
    day: date = start.astimezone(NEW_YORK).date()
    return file.stretch.overlaps(day, day)
