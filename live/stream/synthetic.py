"""Made-up ticks of any number of symbols at any rate: what a newcomer sees without a key.

The n-th tick of a session is a function of the seed and n alone, so a process that begins again
tells the same ticks again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from live.stream.pace import Pace
from live.stream.source import time_tick
from trading.arrays import Floats
from trading.bars.folding.session import FoldedSession, session_at
from trading.events import Tick

SLICE_SECONDS = 0.1
"""Of the wall clock: ticks come in slices, with the time after each."""

_SECOND = 10**9
_PERIODS = np.array([67.0, 409.0, 2_111.0, 9_973.0])
"""Seconds of the waves that a price is the sum of; without a common divisor."""

_HEIGHTS = np.array([0.0004, 0.0015, 0.004, 0.01])


class SyntheticTicks:
    """See `live.stream.source.TickSource`.

    Args:
        symbols: The symbols, at least one.
        rate: Ticks in a second of the wall clock.
        speed: Simulated seconds in a second; 0 tells slice after slice without waiting.
        begin: Where simulated time begins, nanoseconds since 1970 in UTC: the session that this is
            in is told from there on, or the next one from its open.
        until: No session that opens later is told, nanoseconds since 1970 in UTC.
        seed: Another seed makes other prices.
    """

    def __init__(
        self,
        symbols: Collection[str],
        rate: float,
        *,
        speed: float,
        begin: int,
        until: int,
        seed: int = 0,
    ) -> None:
        self.ended = False
        self._until = until
        self._seed = seed
        self._speed = speed
        self._per_slice = max(1, round(rate * SLICE_SECONDS))
        self._length = max(1, round(SLICE_SECONDS * (speed or 1.0) * _SECOND))
        self._told = 0
        self._begin = begin
        self.subscribe(symbols)
        self._slices = self._all_slices()
        self._waiting: tuple[int, list[Tick]] | None = None
        self._pace = Pace(begin, speed)

    def take(self, wait_seconds: float) -> Sequence[Tick]:
        """The next slice of ticks, and the time at its end."""
        if self._waiting is None:
            self._waiting = next(self._slices, None)
        if self._waiting is None:
            self.ended = True
            return []
        end, ticks = self._waiting
        if not self._pace.wait_until(end, wait_seconds):
            return []
        self._waiting = None
        self._told += len(ticks)
        return [*ticks, time_tick(end)]

    def subscribe(self, symbols: Collection[str]) -> None:
        """Tell ticks of these symbols."""
        self._symbols = sorted(symbols)
        rng = np.random.default_rng(self._seed)
        self._bases = np.exp(rng.normal(4.3, 0.7, len(self._symbols)))
        self._phases = rng.random((len(self._symbols), len(_PERIODS))) * 2 * math.pi

    def figures(self) -> Mapping[str, Any]:
        """How many ticks it has told."""
        return {"ticks": self._told, "symbols": len(self._symbols)}

    def close(self) -> None:
        """Nothing is open."""

    def _all_slices(self) -> Iterator[tuple[int, list[Tick]]]:
        moment = self._begin
        while True:
            session = session_at(moment, 0)
            if session.open > self._until:
                return
            if moment < session.open:
                self._pace.jump(session.open)
                yield session.open, []
            first = max(0, (moment - session.open) // self._length)
            for number in itertools.count(first):
                begin = session.open + number * self._length
                if begin >= session.close:
                    break
                end = min(begin + self._length, session.close)
                yield end, self._slice(session, number, begin, end)
            moment = session.close + 10 * 60 * _SECOND
            # The close is told once more after the lateness that bars may have.
            yield moment, []

    def _slice(self, session: FoldedSession, number: int, begin: int, end: int) -> list[Tick]:
        if not self._symbols:
            return []
        count = self._per_slice
        numbers = number * count + np.arange(count)
        rng = np.random.default_rng((self._seed, session.open // _SECOND, number))
        moments = np.sort(rng.integers(begin, end, count))
        at = numbers * _coprime(len(self._symbols)) % len(self._symbols)
        prices = self._prices(at, (moments - session.open) / _SECOND)
        prices = np.round(prices * np.exp(rng.normal(0.0, 5e-5, count)), 2)
        sizes = np.ceil(rng.exponential(120.0, count))
        symbols = [self._symbols[position] for position in at.tolist()]
        rows = zip(
            symbols, moments.tolist(), prices.tolist(), sizes.tolist(),
            (numbers // len(self._symbols)).tolist(), strict=True,
        )  # fmt: skip
        return [Tick(*row) for row in rows]

    def _prices(self, at: npt.NDArray[np.int64], seconds: Floats) -> Floats:
        waves = np.sin(2 * math.pi * seconds[:, None] / _PERIODS + self._phases[at])
        prices: Floats = self._bases[at] * np.exp(waves @ _HEIGHTS)
        return prices


def _coprime(count: int) -> int:
    """A step that visits each of `count` places before any of them again."""
    step = max(1, round(count * 0.618))
    while math.gcd(step, count) != 1:
        step += 1
    return step
