"""Bronze partitions: what each covers, what it is called, and which ones together cover a range.

A stretch of time belongs to one file. Where a month is stored as one file its sessions are not
asked for one by one, and where sessions are stored a backfill by month leaves the rest of that
month to sessions: no bar is ever kept twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from lake.grain import Grain
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.calendar import Dates, Sessions, sessions
from trading.instruments.clock import midnight

_FORMATS = {Grain.SESSION: "%Y%m%d", Grain.MONTH: "%Y-%m", Grain.YEAR: "%Y"}
_LABELS = {**_FORMATS, Grain.SESSION: "%Y-%m-%d"}
_FORMS = {Grain.SESSION: r"\d{8}", Grain.MONTH: r"\d{4}-\d\d", Grain.YEAR: r"\d{4}"}


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """A session, month or year.

    Attributes:
        first: Its first New York date.
        grain: Which of the three.
    """

    first: date
    grain: Grain

    @property
    def last(self) -> date:
        """Its last New York date."""
        if self.grain is Grain.SESSION:
            return self.first
        if self.grain is Grain.YEAR:
            return date(self.first.year, 12, 31)
        return (self.first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)

    @property
    def stem(self) -> str:
        """Its file's name without the ending: `20240102`, `2024-01` or `2024`."""
        return self.first.strftime(_FORMATS[self.grain])

    @property
    def start(self) -> datetime:
        """The moment at which it begins in New York."""
        return midnight(self.first)

    @property
    def end(self) -> datetime:
        """The moment at which it ends in New York."""
        return midnight(self.last + timedelta(days=1))

    def sessions(self) -> Sessions:
        """Its sessions by the exchange calendar."""
        return sessions(self.first, self.last)


def parsed_stretch(stem: str) -> Stretch | None:
    """The stretch whose file is called so; None when none is."""
    grain = next((g for g, form in _FORMS.items() if re.fullmatch(form, stem)), None)
    if grain is None:
        return None
    try:
        return Stretch(datetime.strptime(stem, _FORMATS[grain]).date(), grain)  # noqa: DTZ007 - a date
    except ValueError:
        return None


def checked_stretch(stem: str) -> Stretch:
    """The stretch whose file is called so.

    Raises:
        ParameterError: None is.
    """
    stretch = parsed_stretch(stem)
    if stretch is None:
        allowed = "a session, month or year like 20240102, 2024-01 or 2024"
        raise ParameterError("partition", stem, allowed, "name it as trading lake status does")
    return stretch


@dataclass(frozen=True, slots=True, order=True)
class BronzeKey:
    """One partition.

    Attributes:
        symbol: The instrument.
        stretch: What it covers.
        interval: Length of a bar.
        source: Where the bars are from.
    """

    symbol: str
    stretch: Stretch
    interval: Interval
    source: str

    @property
    def label(self) -> str:
        """What people call it, e.g. `AAPL 2024-01-02 1m synthetic`."""
        when = self.stretch.first.strftime(_LABELS[self.stretch.grain])
        return f"{self.symbol} {when} {self.interval.value} {self.source}"

    @property
    def folder(self) -> str:
        """The folder of its symbol's files, relative to the lake."""
        return symbol_folder(self.source, self.interval, self.symbol)

    @property
    def relative_path(self) -> str:
        """Its file, relative to the lake."""
        return f"{self.folder}/{self.stretch.stem}.parquet"


def symbol_folder(source: str, interval: Interval, symbol: str) -> str:
    """The folder of a symbol's files, relative to the lake."""
    return f"bronze/{source}/{interval.value}/{symbol}"


def stored_stretches(names: Collection[str]) -> set[Stretch]:
    """The stretches of the files of a symbol's folder; what is named otherwise is left out."""
    stems = (name.rpartition("/")[2].removesuffix(".parquet") for name in names)
    return {stretch for stem in stems if (stretch := parsed_stretch(stem)) is not None}


def covering(dates: Dates, grain: Grain, stored: Collection[Stretch]) -> list[Stretch]:
    """The stretches that cover sessions, each session once, in the order of time.

    Args:
        dates: The sessions' New York dates, increasing.
        grain: What to take where nothing is stored.
        stored: Stretches that have a file.
    """
    return [
        stretch
        for year in np.unique(dates.astype("datetime64[Y]"))
        for stretch in _of_year(year, dates, grain, set(stored))
    ]


def _of_year(
    year: np.datetime64, dates: Dates, grain: Grain, stored: set[Stretch]
) -> Iterator[Stretch]:
    whole = Stretch(year.astype("datetime64[D]").item(), Grain.YEAR)
    finer = any(s.first.year == whole.first.year for s in stored if s.grain is not Grain.YEAR)
    if whole in stored or (grain is Grain.YEAR and not finer):
        yield whole
        return
    of_year = dates[dates.astype("datetime64[Y]") == year]
    for month in np.unique(of_year.astype("datetime64[M]")):
        yield from _of_month(month, of_year, grain, stored)


def _of_month(
    month: np.datetime64, dates: Dates, grain: Grain, stored: set[Stretch]
) -> Iterator[Stretch]:
    whole = Stretch(month.astype("datetime64[D]").item(), Grain.MONTH)
    finer = any(whole.first <= s.first <= whole.last for s in stored if s.grain is Grain.SESSION)
    if whole in stored or (grain is not Grain.SESSION and not finer):
        yield whole
        return
    for day in dates[dates.astype("datetime64[M]") == month]:
        yield Stretch(day.item(), Grain.SESSION)
