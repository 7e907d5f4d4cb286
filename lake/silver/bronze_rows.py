"""Bronze as silver reads it: which files have a symbol's sessions, and the rows in them.

Files of several sources and grains may have the same session. The first of the asked sources
that has a file for it counts; of several files of that source the one written last does, bar by
bar, as it is what the source said last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby

import numpy as np
import pyarrow as pa

from lake.files import read_file, stored_fingerprints, stored_metadata
from lake.folders import folders_in, sources_of_bronze
from lake.grain import Grain
from lake.listing import files_with
from lake.stretch import Stretch
from storage.directory import Directory
from storage.parquet.arrays import floats, integers
from trading.arrays import Timestamps
from trading.bars.intervals import Interval
from trading.bars.model import PRICES, Bars, joined
from trading.errors import ParameterError
from trading.instruments.calendar import Sessions, sessions
from trading.instruments.clock import local_times

BRONZE = "bronze"

_OPTIONAL = ("vwap", "trades")


@dataclass(frozen=True, slots=True)
class BronzeFile:
    """One file of bronze.

    Attributes:
        source: The source that it is of.
        stretch: The time that it covers.
        name: The file, relative to the lake.
    """

    source: str
    stretch: Stretch
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Bronze:
    """The files of one symbol and interval.

    Attributes:
        directory: The lake.
        symbol: The symbol.
        interval: The interval.
        files: Its files, those of the first source first.
    """

    directory: Directory
    symbol: str
    interval: Interval
    files: tuple[BronzeFile, ...]
    _by_source: dict[str, dict[Stretch, BronzeFile]] = field(init=False, repr=False)
    _written: dict[str, str] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        by_source = {
            source: {file.stretch: file for file in of_source}
            for source, of_source in groupby(self.files, lambda file: file.source)
        }
        object.__setattr__(self, "_by_source", by_source)

    def covering(self, day: date) -> tuple[BronzeFile, ...]:
        """The files that count for a date, the one written last at the end."""
        for files in self._by_source.values():
            found = [
                file
                for grain in (Grain.YEAR, Grain.MONTH, Grain.SESSION)
                if (file := files.get(Stretch.around(day, grain)))
            ]
            if len(found) > 1:
                found.sort(key=lambda file: (self._written_at(file.name), file.name))
            if found:
                return tuple(found)
        return ()

    def only(self, names: Iterable[str]) -> Bronze:
        """The same without the files that are not among `names`."""
        kept = frozenset(names)
        return replace(self, files=tuple(file for file in self.files if file.name in kept))

    def between(self, first: date | None, last: date | None) -> Bronze:
        """The same without the files that have no date from `first` to `last`."""
        return replace(
            self, files=tuple(file for file in self.files if file.stretch.overlaps(first, last))
        )

    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each file by its name; what is no bronze of the symbol is left out."""
        found: dict[str, str] = {}
        for source in self._by_source:
            folder = f"{BRONZE}/{source}/{self.interval}/{self.symbol}"
            names = [file.name for file in self.files if file.source == source]
            first = min(file.stretch.first for file in self.files)
            last = max(file.stretch.last for file in self.files)
            stored = stored_fingerprints(
                self.directory, folder, BRONZE, self.symbol, first=first, last=last
            )
            found |= {name: stored[name] for name in names if name in stored}
        return found

    def sessions(self) -> Sessions:
        """The sessions of all dates that a file covers, in order."""
        if not self.files:
            return sessions(date(2000, 1, 2), date(2000, 1, 1))
        first = min(file.stretch.first for file in self.files)
        every = sessions(first, max(file.stretch.last for file in self.files))
        covered = [bool(self.covering(day)) for day in every.dates.tolist()]
        return every[np.array(covered, bool)]

    def _written_at(self, name: str) -> str:
        if name not in self._written:
            metadata = stored_metadata(self.directory, name, BRONZE, self.symbol)
            self._written[name] = metadata.get("written_at", "")
        return self._written[name]


@dataclass(frozen=True, slots=True, eq=False)
class BronzeRows:
    """Rows as they were read.

    Attributes:
        bars: The bars in order of time, one of each timestamp.
        fingerprints: Of each file that was read, by its name.
    """

    bars: Bars
    fingerprints: Mapping[str, str]


def bronze_symbols(directory: Directory, interval: Interval, sources: Sequence[str]) -> list[str]:
    """The symbols that have a folder of that interval, sorted.

    Args:
        directory: The lake.
        interval: The interval.
        sources: Sources to look at; none for all.
    """
    found: set[str] = set()
    for source in sources or sources_of_bronze(directory):
        found.update(folders_in(directory, f"{BRONZE}/{source}/{interval}"))
    return sorted(found)


def bronze_of(
    directory: Directory,
    symbol: str,
    interval: Interval,
    sources: Sequence[str],
    *,
    first: date | None = None,
    last: date | None = None,
) -> Bronze:
    """The files of a symbol and interval that have a date from `first` to `last`.

    Args:
        directory: The lake.
        symbol: The symbol.
        interval: The interval.
        sources: Sources, the one that counts first at the front; none for the only one there is.
        first: First date; None is no bound.
        last: Last date, the same.

    Raises:
        ParameterError: No source is named and the symbol has files of several, of whatever time.
        DataError: A file's name says no stretch of time.
    """
    files = []
    for source in sources or _only_source(directory, symbol, interval):
        folder = f"{BRONZE}/{source}/{interval}/{symbol}"
        files += [
            BronzeFile(source, Stretch.of_file(name), f"{folder}/{name}")
            for name in files_with(directory, folder, first, last)
        ]
    return Bronze(directory, symbol, interval, tuple(files))


def _only_source(directory: Directory, symbol: str, interval: Interval) -> list[str]:
    """The one source that there is, or that has the symbol, if any.

    Raises:
        ParameterError: Several have.
    """
    known = sources_of_bronze(directory)
    if len(known) < 2:  # noqa: PLR2004 - what is to be told apart
        return known
    folders = {source: f"{BRONZE}/{source}/{interval}/{symbol}" for source in known}
    found = [source for source in known if files_with(directory, folders[source], None, None)]
    if len(found) > 1:
        raise ParameterError(
            "sources",
            [],
            f"clear for {symbol}, whose bars of {interval} come from {', '.join(found)}",
            f"name those to use, the first one first, e.g. {','.join(found)}",
        )
    return found


def read_sessions(bronze: Bronze, within: Sessions) -> BronzeRows:
    """The rows of the given sessions: minutes by their time, daily bars by their date.

    Raises:
        ContentError: A file is damaged, or no bronze of the symbol.
        StorageError: A file cannot be read.
    """
    covering = [bronze.covering(day) for day in within.dates.tolist()]
    tables: dict[str, Bars] = {}
    fingerprints: dict[str, str] = {}
    for file in dict.fromkeys(file for files in covering for file in files):
        stored = read_file(bronze.directory, file.name, BRONZE, bronze.symbol)
        tables[file.name] = bars_of(stored.table, bronze.symbol)
        fingerprints[file.name] = stored.metadata["fingerprint"]
    parts = []
    for files, rows in groupby(range(len(within)), key=covering.__getitem__):
        group = list(rows)
        stretch = within[group[0] : group[-1] + 1]
        parts.append(
            _last_known(
                [_inside(tables[f.name], stretch, bronze.interval) for f in files], bronze.symbol
            )
        )
    return BronzeRows(joined(parts, bronze.symbol), fingerprints)


def bars_of(table: pa.Table, symbol: str) -> Bars:
    """The rows of a table with the columns of bronze as bars, in the table's order."""
    count = table.num_rows
    values = {name: floats(table[name]) for name in (*PRICES, "volume")}
    values |= {
        name: floats(table[name]) if name in table.column_names else np.full(count, np.nan)
        for name in _OPTIONAL
    }
    return Bars(symbol=symbol, timestamps=instants(table["timestamp"]), **values)


def instants(column: pa.ChunkedArray) -> Timestamps:
    """A column of timestamps of any unit as `datetime64[ns]` in UTC, shape (n,)."""
    stamps: Timestamps = integers(column).view(f"datetime64[{column.type.unit}]")
    return stamps.astype("datetime64[ns]")


def _inside(bars: Bars, within: Sessions, interval: Interval) -> Bars:
    """The bars in the sessions' hours; of daily ones those on their dates."""
    if not interval.is_intraday:
        return bars[np.isin(local_times(bars.timestamps).astype("datetime64[D]"), within.dates)]
    session = np.searchsorted(within.opens, bars.timestamps, side="right") - 1
    return bars[(session >= 0) & (bars.timestamps < within.closes[session.clip(0)])]


def _last_known(parts: Sequence[Bars], symbol: str) -> Bars:
    """The bars of all parts in order of time; of equal timestamps that of the last part."""
    bars = joined(list(parts), symbol)
    if len(parts) > 1 or not (np.diff(bars.timestamps) > np.timedelta64(0)).all():
        bars = bars[np.argsort(bars.timestamps, kind="stable")]
        last = np.append(bars.timestamps[1:] != bars.timestamps[:-1], True)
        bars = bars[last[: len(bars)]]
    return bars
