"""One page of a series: each stretch of time from where it is right, the live bars behind.

The lake has everything, and the database a copy of its last years. The database answers for a
stretch whose file it holds as the file is now; a file that was written since, or whose bars the
database dropped, is read itself. So a bar that the lake restates is never served as it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from api.bars.stored_files import LakeFile, WritingTimes, between, bounds, files_of
from database.bars.columns import BAR_TABLES
from database.bars.serving import (
    SERVED,
    bars_version,
    last_loaded,
    live_bars,
    loaded_files,
    stored_bars,
)
from database.connection import Database
from lake.folders import folders_in
from lake.reading import read
from lake.silver.table import INTERVALS, SILVER, SILVER_DAYS
from storage.directory import Directory
from trading.bars.intervals import Interval
from trading.bars.model import VALUES
from trading.errors import ParameterError

BRONZE = "bronze"

FIRST = datetime(1900, 1, 1, tzinfo=UTC)
"""Before every bar."""

_AT_ONCE = 32
"""Files that are read by one call."""

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What is asked for.

    Attributes:
        symbol: The symbol.
        interval: The bars' length.
        source: Of bronze; empty when the bars are made of it, or the lake has none.
        dataset: `bronze`, `silver` or `silver_days`.
        start: The first moment at which a bar may start.
        end: The moment before which bars start.
        limit: At most so many.
        with_live: Whether bars that live windows closed are among them.
    """

    symbol: str
    interval: Interval
    source: str
    dataset: str
    start: datetime
    end: datetime
    limit: int
    with_live: bool

    @property
    def folder(self) -> str:
        """Its folder in the lake."""
        if self.dataset == BRONZE:
            return f"{BRONZE}/{self.source}/{self.interval}/{self.symbol}"
        return f"{self.dataset}/{self.symbol}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the bars of a series come from.

    Attributes:
        series: What is asked for.
        from_lake: The times for which the lake is read, first and end of each, in order.
        last_file: The last file of the series, if there is one.
        version: Changes whenever the answer may.
    """

    series: Series
    from_lake: tuple[tuple[datetime, datetime], ...]
    last_file: tuple[LakeFile, ...]
    version: str


def chosen_source(
    directory: Directory, symbol: str, interval: Interval, named: str | None, order: Sequence[str]
) -> str:
    """The source of a symbol's raw bars; empty when the lake has none and none is named.

    Args:
        directory: The lake.
        symbol: The symbol.
        interval: The interval.
        named: The source asked for.
        order: Sources, the one that counts first at the front.

    Raises:
        ParameterError: The named one has no such bars.
        StorageError: The lake cannot be listed.
    """
    known = [
        source
        for source in folders_in(directory, BRONZE)
        if directory.exists(f"{BRONZE}/{source}/{interval}/{symbol}")
    ]
    if named is not None and named not in known:
        allowed = f"a source that has {interval} bars of {symbol}: {', '.join(known) or 'none has'}"
        raise ParameterError("source", named, allowed, "leave it out or name another")
    if named is not None:
        return named
    preferred = [source for source in order if source in known]
    return next(iter(preferred or known), "")


def dataset_of(interval: Interval) -> str:
    """Where an interval's bars are: raw where the sources have them, else made of these."""
    if interval in BAR_TABLES or interval is Interval.HOUR:
        return BRONZE
    return SILVER if interval in INTERVALS[SILVER] else SILVER_DAYS


def plan(
    directory: Directory | None,
    database: Database | None,
    times: WritingTimes,
    series: Series,
) -> Plan:
    """Find out where a series' bars come from.

    Args:
        directory: The lake; None while it cannot be read.
        database: The database; None while it cannot.
        times: When files were written.
        series: What is asked for.
    """
    stored = (
        []
        if directory is None or (series.dataset == BRONZE and not series.source)
        else files_of(directory, series.folder)
    )
    files = between(stored, series.start, series.end)
    # Whether a live bar is behind the stored ones is decided by the last file, whatever is asked.
    parts = [file.version for file in [*files, *stored[-1:]]]
    unloaded = frozenset(files)
    if database is not None:
        window = (series.symbol, series.interval, series.start, series.end)
        parts.append(bars_version(database, *window))
        if directory is not None and series.interval in BAR_TABLES and files:
            loaded = loaded_files(database, *window)
            written = times.of(directory, files, BRONZE, series.symbol)
            unloaded = frozenset(f for f in files if (series.source, written[f]) not in loaded)
    from_lake = tuple(_runs(files, unloaded))
    return Plan(series, from_lake, tuple(stored[-1:]), "\n".join([*parts, str(from_lake)]))


def bars_of(lake_dir: str, database: Database | None, planned: Plan) -> pa.Table:
    """The bars of a plan, in order of time.

    Returns:
        A table with the columns of `SERVED` and at most `limit` + 1 rows: one more than asked for
        says that there are more.

    Raises:
        ContentError: A file of the lake is damaged.
        StorageError: One cannot be read.
        DatabaseError: The database does not answer.
    """
    series = planned.series
    wanted, parts, rows = series.limit + 1, [SERVED.empty_table()], 0
    for part in _parts(lake_dir, database, planned):
        parts.append(part)
        rows += part.num_rows
        if rows >= wanted:
            break
    table = pa.concat_tables(parts)
    if rows < wanted and database is not None and series.with_live:
        behind = max(series.start, _last_stored(lake_dir, database, planned) + _TICK)
        live = live_bars(
            database, series.symbol, series.interval, behind, series.end, limit=wanted - rows
        )
        table = pa.concat_tables([table, live])
    return table.slice(0, wanted).combine_chunks()


def _parts(lake_dir: str, database: Database | None, planned: Plan) -> Iterator[pa.Table]:
    """What the database and the lake have, in turn."""
    series, position = planned.series, planned.series.start
    for start, end in planned.from_lake:
        if position < start:
            yield _loaded(database, series, position, min(start, series.end))
        low, high = max(position, start), min(end, series.end)
        if low < high:
            yield _from_lake(lake_dir, series, low, high)
        position = max(position, end)
    if position < series.end:
        yield _loaded(database, series, position, series.end)


def _runs(
    files: Sequence[LakeFile], unloaded: Collection[LakeFile]
) -> Iterator[tuple[datetime, datetime]]:
    """The times of neighbouring files that the database does not hold, a few files at a time."""
    for is_unloaded, group in itertools.groupby(files, key=lambda file: file in unloaded):
        members = list(group) if is_unloaded else []
        for first in range(0, len(members), _AT_ONCE):
            some = members[first : first + _AT_ONCE]
            yield bounds(some[0].stretch)[0], max(bounds(file.stretch)[1] for file in some)


def _loaded(database: Database | None, series: Series, start: datetime, end: datetime) -> pa.Table:
    if database is None or series.interval not in BAR_TABLES:
        return SERVED.empty_table()
    return stored_bars(
        database, series.symbol, series.interval, start, end,
        source=series.source or None, limit=series.limit + 1,
    )  # fmt: skip


def _from_lake(lake_dir: str, series: Series, start: datetime, end: datetime) -> pa.Table:
    source = series.source if series.dataset == BRONZE else None
    table = read(
        series.dataset, series.symbol, series.interval, start, end, source=source, lake_dir=lake_dir
    )
    names = pa.array([source or series.dataset] * table.num_rows, pa.string())
    columns = [table["timestamp"], *(table[name] for name in VALUES), names]
    return pa.table(columns, SERVED.names).cast(SERVED)


def _last_stored(lake_dir: str, database: Database, planned: Plan) -> datetime:
    """The start of the last bar that a source has delivered; live bars count from there on."""
    series = planned.series
    last = FIRST
    if series.interval in BAR_TABLES:
        last = last_loaded(database, series.symbol, series.interval, series.source or None) or last
    for file in planned.last_file:
        table = _from_lake(lake_dir, series, *bounds(file.stretch))
        if table.num_rows:
            last = max(last, table["timestamp"][-1].as_py())
    return last
