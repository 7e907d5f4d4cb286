"""Which instrument a symbol was on a day: symbols are renamed, given up and used again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from trading.errors import DataError


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class SymbolPeriod:
    """From when to when an instrument had a symbol.

    Attributes:
        symbol: The symbol.
        instrument: What the instrument is called for good.
        first: First day; None when unknown.
        last: Last day; None while it lasts.
    """

    symbol: str
    instrument: str
    first: date | None = None
    last: date | None = None

    def has(self, day: date) -> bool:
        """Whether the day lies in it."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class SymbolHistory:
    """The symbols of all instruments over time.

    Attributes:
        periods: In any order.

    Raises:
        DataError: A symbol is two instruments', or an instrument has two symbols, on one day.
    """

    periods: tuple[SymbolPeriod, ...] = ()

    def __post_init__(self) -> None:
        for one, other in _pairs(self.periods):
            shared = one.symbol == other.symbol or one.instrument == other.instrument
            if shared and _overlap(one, other):
                both = f"{one.symbol} of {one.instrument} and {other.symbol} of {other.instrument}"
                problem = f"{both} are at the same time"
                raise DataError("symbol_history", problem, "end one before the other begins")

    def instrument(self, symbol: str, day: date) -> str | None:
        """The instrument that had a symbol on a day; None when none did."""
        return next((p.instrument for p in self.periods if p.symbol == symbol and p.has(day)), None)

    def symbol(self, instrument: str, day: date) -> str | None:
        """The symbol that an instrument had on a day; None when it had none."""
        return next(
            (p.symbol for p in self.periods if p.instrument == instrument and p.has(day)), None
        )

    def of(self, symbol: str) -> tuple[SymbolPeriod, ...]:
        """All periods of a symbol, in the order of time."""
        return tuple(sorted((p for p in self.periods if p.symbol == symbol), key=_begin))

    def renamed(self, old: str, new: str, day: date) -> SymbolHistory:
        """The history in which an instrument has another symbol from a day on.

        Raises:
            DataError: Nothing has the old symbol the day before, or the new one is taken.
        """
        eve = day - timedelta(days=1)
        current = next((p for p in self.periods if p.symbol == old and p.has(eve)), None)
        if current is None:
            problem = f"no instrument is called {old} on {eve.isoformat()}"
            raise DataError("symbol_history", problem, "add it first")
        ended = replace(current, last=eve)
        begun = replace(current, symbol=new, first=day)
        others = [p for p in self.periods if p is not current]
        return SymbolHistory((*others, ended, begun))


def _begin(period: SymbolPeriod) -> date:
    return period.first or date.min


def _end(period: SymbolPeriod) -> date:
    return period.last or date.max


def _overlap(one: SymbolPeriod, other: SymbolPeriod) -> bool:
    return _begin(one) <= _end(other) and _begin(other) <= _end(one)


def _pairs(periods: tuple[SymbolPeriod, ...]) -> Iterable[tuple[SymbolPeriod, SymbolPeriod]]:
    """Neighbours in time among the periods of a symbol, and of an instrument.

    Of periods sorted by their begin some two overlap only if two neighbours do.
    """
    for name in ("symbol", "instrument"):
        ordered = sorted(periods, key=lambda p: (getattr(p, name), _begin(p), _end(p)))
        yield from pairwise(ordered)
