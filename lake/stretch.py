"""Stretches of time that name the lake's files: a session, a month or a year."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Self

from lake.dataset import PartitionKey
from lake.grain import Grain
from trading.errors import DataError, ParameterError

_FORMS = {Grain.SESSION: "%Y%m%d", Grain.MONTH: "%Y-%m", Grain.YEAR: "%Y"}
_STEMS = {
    Grain.SESSION: r"(\d{4})(\d{2})(\d{2})",
    Grain.MONTH: r"(\d{4})-(\d{2})",
    Grain.YEAR: r"(\d{4})",
}
SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """A New York date, month or year.

    Attributes:
        first: Its first date.
        grain: `session`, `month` or `year`.
    """

    first: date
    grain: Grain

    @classmethod
    def around(cls, day: date, grain: Grain) -> Self:
        """The stretch of that grain that holds a date."""
        if grain is Grain.MONTH:
            day = day.replace(day=1)
        elif grain is Grain.YEAR:
            day = day.replace(month=1, day=1)
        return cls(day, grain)

    @classmethod
    def of_file(cls, name: str) -> Self:
        """The stretch that a file's name says, whatever its folder.

        Raises:
            DataError: It says none.
        """
        found = _of_stem(name.rpartition("/")[2].removesuffix(SUFFIX))
        if found is not None:
            return cls(*found)
        raise DataError(
            name,
            "its name is no session (20240102), month (2024-01) or year (2024)",
            "move it out of the lake",
        )

    @property
    def last(self) -> date:
        """Its last date."""
        if self.grain is Grain.SESSION:
            return self.first
        if self.grain is Grain.YEAR:
            return self.first.replace(month=12, day=31)
        return (self.first + timedelta(days=31)).replace(day=1) - timedelta(days=1)

    @property
    def stem(self) -> str:
        """Its file's name without the ending, e.g. `20240102`, `2024-01`, `2024`."""
        return self.first.strftime(_FORMS[self.grain])

    @property
    def label(self) -> str:
        """What people call it, e.g. `2024-01-02`."""
        return self.first.isoformat() if self.grain is Grain.SESSION else self.stem

    def overlaps(self, first: date | None, last: date | None) -> bool:
        """Whether it has a date from `first` to `last`; None is no bound."""
        return (last is None or self.first <= last) and (first is None or first <= self.last)


@lru_cache(maxsize=16_384)
def _of_stem(stem: str) -> tuple[date, Grain] | None:
    """What a stem says; kept, as the sessions of one symbol are those of most others."""
    for grain, form in _STEMS.items():
        if found := re.fullmatch(form, stem):
            numbers = [int(text) for text in found.groups()]
            try:
                return date(*[*numbers, 1, 1][:3]), grain
            except ValueError:
                return None
    return None


@dataclass(frozen=True, slots=True, order=True)
class StretchKey:
    """One partition of the lake: a dataset's folder, a symbol and a stretch of time.

    Attributes:
        folder: Where the files of all symbols are, e.g. `silver` or `gold/vegas_channel/5m`.
        symbol: The instrument.
        stretch: The time.
    """

    folder: str
    symbol: str
    stretch: Stretch

    @property
    def relative_path(self) -> str:
        """Its file, relative to the lake."""
        return f"{self.folder}/{self.symbol}/{self.stretch.stem}{SUFFIX}"

    @property
    def label(self) -> str:
        """What people call it, e.g. `AAPL 2024-01-02` or `AAPL vegas_channel 5m 2024-01`."""
        return " ".join([self.symbol, *self.folder.split("/")[1:], self.stretch.label])


def check_only(
    only: Collection[str] | None, dataset: str, symbol: str, keys: Iterable[PartitionKey]
) -> None:
    """Refuse files of a dataset and symbol that are no partition's.

    Args:
        only: Files, relative to the lake; None for all.
        dataset: The dataset's folder; files of others are not looked at.
        symbol: The symbol.
        keys: Its partitions.

    Raises:
        ParameterError: One is not.
    """
    if only is None:
        return
    files = {key.relative_path for key in keys}
    of_symbol = {name for name in only if is_file_of(name, dataset, symbol)}
    if unknown := of_symbol - files:
        near = f", e.g. {min(files)}" if files else ""
        layer = dataset.partition("_")[0]
        raise ParameterError(
            "partitions",
            min(unknown),
            f"the file of a partition of {symbol}",
            f"name them as trading lake redo {layer} --dry-run does{near}",
        )


def is_file_of(name: str, dataset: str, symbol: str) -> bool:
    """Whether a file is named as one of a dataset's folder and a symbol."""
    return name.startswith(f"{dataset}/") and name.split("/")[-2:-1] == [symbol]


def symbols_of(only: Collection[str]) -> list[str]:
    """The symbols that files belong to, sorted."""
    return sorted({name.split("/")[-2] for name in only if name.count("/")})
