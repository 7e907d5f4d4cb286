"""The closed minutes of a session, and bars made of them by the same kernel as silver's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats
from trading.bars.model import VALUES, Bars
from trading.bars.resampling.kernel import Rows, joined_rows

_FIRST_SYMBOLS = 64


class ClosedMinutes:
    """Values of the minutes of one session by symbol, NaN where there are none.

    Args:
        minutes: How many the session has.
    """

    def __init__(self, minutes: int) -> None:
        self._values = np.full((_FIRST_SYMBOLS, minutes, len(VALUES)), np.nan)

    def put(self, symbol: int, minute: int, values: Sequence[float]) -> None:
        """Set what a symbol's minute is.

        Args:
            symbol: The symbol's position.
            minute: The minute's number in the session.
            values: In the order of `trading.bars.model.VALUES`.
        """
        self._grow(symbol + 1)
        self._values[symbol, minute] = values

    def bars(self, begin: int, end: int, symbol: int | None = None) -> Iterator[ClosedBar]:
        """One bar of the minutes from `begin` to before `end` for each symbol that has one of them.

        Args:
            begin: Number of the first minute.
            end: Number of the one after the last.
            symbol: The one symbol wanted; None for all.
        """
        first = 0 if symbol is None else symbol
        last = None if symbol is None else symbol + 1
        part = self._values[first:last, begin:end]
        present = ~np.isnan(part[:, :, 0])
        found = np.flatnonzero(present.any(axis=1))
        if not len(found):
            return
        rows = part[present]
        counts = present.sum(axis=1)[found]
        joined, _ = joined_rows(_rows(rows), np.cumsum(counts) - counts, _stamps(len(found)))
        columns = [getattr(joined, name).tolist() for name in VALUES]
        for at, values in zip(found.tolist(), zip(*columns, strict=True), strict=True):
            yield ClosedBar(first + at, values)

    def _grow(self, symbols: int) -> None:
        while symbols > len(self._values):
            self._values = np.concatenate([self._values, np.full_like(self._values, np.nan)])

    def stored(self, begin: int, end: int, symbols: int) -> bytes:
        """The bytes of a stretch of minutes of the first `symbols` symbols."""
        return self._values[:symbols, begin:end].astype("<f8").tobytes()

    def restore(self, begin: int, end: int, symbols: int, stored: bytes) -> None:
        """Put the bytes of `stored` back."""
        values = np.frombuffer(stored, "<f8").reshape(symbols, end - begin, len(VALUES))
        self._grow(symbols)
        self._values[:symbols, begin:end] = values


@dataclass(frozen=True, slots=True)
class ClosedBar:
    """A bar's values.

    Attributes:
        symbol: The symbol's position.
        values: In the order of `trading.bars.model.VALUES`; NaN for what is not known.
    """

    symbol: int
    values: tuple[float, ...]


def _rows(values: Floats) -> Rows:
    columns = dict(zip(VALUES, np.ascontiguousarray(values.T), strict=True))
    bars = Bars(symbol="", timestamps=_stamps(len(values)), **columns)
    return Rows(bars, np.where(bars.volume == 0, 0.0, bars.vwap * bars.volume))


def _stamps(count: int) -> npt.NDArray[np.datetime64]:
    """Labels that the kernel does not look at."""
    return np.zeros(count, "datetime64[ns]")
