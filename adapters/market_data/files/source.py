"""A folder, local or in S3, with a file per symbol, as a source of bars."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.market_data.bar_source import (
    Capability,
    Delivery,
    Reach,
    checked_request,
)
from adapters.market_data.files.actions import ACTIONS, read_actions
from adapters.market_data.files.columns import Columns, chosen_columns
from adapters.market_data.files.tables import ENDINGS, read_table
from adapters.market_data.files.times import bar_starts
from adapters.market_data.protocol import SourceError
from adapters.market_data.rows import delivery
from storage.directory import Directory
from storage.parquet.arrays import floats
from trading.arrays import Floats, Timestamps
from trading.bars.intervals import Interval
from trading.bars.model import PRICES
from trading.errors import DataError, ParameterError
from trading.instruments.actions import CorporateAction
from trading.instruments.clock import to_datetime64
from trading.instruments.instrument import Instrument
from trading.instruments.symbols import checked_contract

KEPT_FILES = 4
"""Parsed files that are kept: one symbol's partitions are asked for one after the other."""


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    """A file's rows in order of time; those of the same time in the file's order."""

    timestamps: Timestamps
    values: Mapping[str, Floats]


class FileSource:
    """Bars from files named like their symbol, e.g. `AAPL.csv`, `brk.b.parquet`, `V.csv.gz`.

    Times are those of a bar's start. The folder is listed once: who wants to see new files makes a
    new source. Splits and dividends come from `_actions.csv` (or `.parquet`) beside the files, with
    the columns `symbol`, `ex_date`, `kind` (`split`, `dividend`) and `value`.

    Args:
        directory: The folder.
        timezone: Of times that name none, e.g. `America/New_York`.

    Raises:
        ParameterError: There is no such time zone.
    """

    name = "files"
    capability = Capability(
        reach=dict.fromkeys((Interval.MINUTE, Interval.HOUR, Interval.DAY), Reach()),
        requests_per_second=None,
        max_parallel=4,
        extended_hours=True,
        actions=True,
        instruments=True,
    )

    def __init__(self, directory: Directory, *, timezone: str | None = None) -> None:
        self._directory = directory
        self._zone = _zone(timezone)
        self._lock = threading.Lock()
        self._listed: Mapping[str, list[str]] | None = None
        self._kept: OrderedDict[tuple[str, Interval], _Content] = OrderedDict()

    def check_access(self) -> None:
        """Find out whether the folder is there and holds files of bars.

        Raises:
            ParameterError: It does not exist, or holds none.
            StorageError: It cannot be listed.
        """
        if any(stem != ACTIONS for stem in self._files()):
            return
        allowed = f"a folder of files named like AAPL.csv ({', '.join(ENDINGS)})"
        next_step = "check the path, or pass the folder that holds them"
        raise ParameterError(self._directory.parameter, self._directory.url, allowed, next_step)

    def bars(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> Delivery:
        """The bars of one symbol's file that start in [start, end).

        Raises:
            ParameterError: The request makes no sense, or the file needs a time zone.
            SourceError: There is no file of the symbol.
            DataError: The file cannot be understood, or holds bars of another interval.
            StorageError: It cannot be read.
        """
        checked_request(self, symbol, interval, start, end)
        content = self._content(symbol, interval)
        first, last = np.searchsorted(
            content.timestamps, [to_datetime64(start), to_datetime64(end)]
        )
        return delivery(
            self.name,
            symbol,
            timestamps=content.timestamps[first:last],
            values={name: column[first:last] for name, column in content.values.items()},
            start=start,
            end=end,
        )

    def actions(self, symbol: str, first: date, last: date) -> tuple[CorporateAction, ...]:
        """Splits and dividends of the table of actions, in order of the ex-date.

        Raises:
            SourceError: There is no such table.
            DataError: It cannot be understood.
            StorageError: It cannot be read.
        """
        name = self._file(ACTIONS, symbol)
        url = self._directory.url_of(name)
        every = read_actions(name, self._directory.read_bytes(name), url)
        found = [a for a in every if a.symbol == symbol and first <= a.ex_date <= last]
        return tuple(sorted(found, key=lambda action: (action.ex_date, action.kind)))

    def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """An instrument per file whose name can be a symbol; nothing else is known of it.

        Raises:
            StorageError: The folder cannot be listed.
        """
        names = [stem.upper() for stem in self._files() if stem != ACTIONS]
        if symbols is not None:
            names = [symbol for symbol in symbols if _stem(symbol) in self._files()]
        return tuple(Instrument(symbol=name, kind="") for name in sorted(names) if _fits(name))

    def _content(self, symbol: str, interval: Interval) -> _Content:
        name = self._file(_stem(symbol), symbol)
        key = (name, interval)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        content = self._read(name, symbol, interval)
        with self._lock:
            self._kept[key] = content
            while len(self._kept) > KEPT_FILES:
                self._kept.popitem(last=False)
        return content

    def _read(self, name: str, symbol: str, interval: Interval) -> _Content:
        url = self._directory.url_of(name)
        chosen: list[Columns] = []

        def choose(names: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
            chosen.append(chosen_columns(names, url))
            return chosen[0].texts, list(chosen[0].fields.values())

        table = read_table(name, self._directory.read_bytes(name), url, choose)
        columns = chosen[0]
        _check_symbol(table, columns, symbol, url)
        starts = bar_starts(_time_column(table, columns), interval, self._zone, url)
        values = {field: floats(table[column]) for field, column in columns.fields.items()}
        # A row without any price is a vendor's way to say that there is no bar.
        priced = ~np.all([np.isnan(values[price]) for price in PRICES], axis=0)
        order = np.flatnonzero(priced)
        order = order[np.argsort(starts[order], kind="stable")]
        return _Content(starts[order], {field: column[order] for field, column in values.items()})

    def _file(self, stem: str, symbol: str) -> str:
        """The one file of a stem."""
        names = self._files().get(stem, [])
        if not names:
            spelled = f"{stem if stem == ACTIONS else symbol}.csv or .parquet"
            raise SourceError(symbol, f"there is no {spelled} in {self._directory.url}")
        if len(names) > 1:
            problem = f"{' and '.join(names)} are of the same symbol"
            raise DataError(self._directory.url, problem, "leave one of them")
        return names[0]

    def _files(self) -> Mapping[str, list[str]]:
        """Names of files by their stem in small letters, `-` for `.` and `_`."""
        with self._lock:
            if self._listed is None:
                files: dict[str, list[str]] = {}
                for name in self._directory.list_files(""):
                    ending = next((e for e in reversed(ENDINGS) if name.lower().endswith(e)), None)
                    if ending is not None:
                        files.setdefault(_stem(name[: -len(ending)]), []).append(name)
                self._listed = files
            return self._listed


def _stem(name: str) -> str:
    lowered = name.lower()
    return lowered if lowered == ACTIONS else lowered.replace(".", "-").replace("_", "-")


def _fits(name: str) -> bool:
    try:
        checked_contract(name)
    except ParameterError:
        return False
    return True


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        next_step = "pass for instance America/New_York or UTC"
        raise ParameterError("timezone", name, "a time zone's name", next_step) from error


def _time_column(table: pa.Table, columns: Columns) -> pa.ChunkedArray:
    if columns.time_of_day is None:
        return table[columns.date]
    both = [table[name].cast(pa.string()) for name in (columns.date, columns.time_of_day)]
    return pc.binary_join_element_wise(*both, " ")


def _check_symbol(table: pa.Table, columns: Columns, symbol: str, url: str) -> None:
    """Refuse a file that holds another symbol's rows, or several symbols'."""
    if columns.symbol is None:
        return
    named = {str(name) for name in pc.unique(table[columns.symbol].cast(pa.string())).to_pylist()}
    others = sorted(name for name in named if _stem(name.strip()) != _stem(symbol))
    if others:
        problem = f"it has rows of {others[0]!r:.40}, not of {symbol} alone"
        raise DataError(url, problem, "deliver a file per symbol")
