"""Made-up ticks of any number of symbols at any rate: what a newcomer sees without a key.

The n-th tick of a session is a function of the seed and n alone, so a process that begins again
tells the same ticks again. Simulated time runs faster than ours until it has come to the present,
and goes on with it: also between sessions, where ticks make no bar.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

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
_SEEDS = 2**32
"""Numbers of slices before a session are negative, which no seed may be."""

_PERIODS = np.array([67.0, 409.0, 2_111.0, 9_973.0])
"""Seconds of the waves that a price is the sum of; without a common divisor."""

_HEIGHTS = np.array([0.0004, 0.0015, 0.004, 0.01])


class SyntheticTicks:
    """See `live.stream.source.TickSource`.

    Args:
        symbols: The symbols, at least one.
        rate: Ticks in a second of the wall clock, while simulated time is behind it.
        speed: Simulated seconds in a second until the present is reached; 0 does not wait.
        begin: Where simulated time begins, nanoseconds since 1970 in UTC: the session that this is
            in is told from there on, or the next one from its open.
        seed: Another seed makes other prices.
        now: The present, nanoseconds since 1970 in UTC: nothing is told before its time.
    """

    def __init__(
        self,
        symbols: Collection[str],
        rate: float,
        *,
        speed: float,
        begin: int,
        seed: int = 0,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.ended = False
        self._now = now
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
            self._waiting = next(self._slices)
        end, ticks = self._waiting
        if not (self._pace.wait_until(end, wait_seconds) and self._is_past(end, wait_seconds)):
            return []
        self._waiting = None
        self._told += len(ticks)
        return [*ticks, time_tick(end)]

    def subscribe(self, symbols: Collection[str]) -> None:
        """Tell ticks of these symbols."""
        self._symbols = sorted(symbols)
        # Of the symbol alone: which others are told as well must not move its price.
        own = [np.random.default_rng((self._seed, crc32(s.encode()))) for s in self._symbols]
        self._bases = np.exp([rng.normal(4.3, 0.7) for rng in own])
        phases = [rng.random(len(_PERIODS)) for rng in own]
        self._phases = np.reshape(phases, (-1, len(_PERIODS))) * 2 * math.pi

    def figures(self) -> Mapping[str, Any]:
        """How many ticks it has told."""
        return {"ticks": self._told, "symbols": len(self._symbols)}

    def close(self) -> None:
        """Nothing is open."""

    def _is_past(self, moment: int, most_seconds: float) -> bool:
        """Wait for the present to come to a moment, but not longer than some seconds."""
        left = (moment - self._now()) / _SECOND
        if left > 0:
            time.sleep(min(left, most_seconds))
        return self._now() >= moment

    def _all_slices(self) -> Iterator[tuple[int, list[Tick]]]:
        moment = self._begin
        while True:
            session = session_at(moment, 0)
            if moment < session.open:
                if (present := self._now()) < session.open:
                    yield from self._between(session, max(moment, present), session.open)
                self._pace.jump(session.open)
                yield session.open, []
            yield from self._between(session, max(moment, session.open), session.close)
            moment = session.close + 10 * 60 * _SECOND
            # The close is told once more after the lateness that bars may have.
            yield moment, []

    def _between(
        self, session: FoldedSession, first: int, last: int
    ) -> Iterator[tuple[int, list[Tick]]]:
        """The slices from the one that a moment is in to another moment."""
        for number in itertools.count((first - session.open) // self._length):
            begin = session.open + number * self._length
            if begin >= last:
                return
            end = min(begin + self._length, last)
            ticks = self._slice(session, number, begin, end)
            if end <= self._now():
                yield end, ticks
            else:
                yield from _by_second(begin, end, ticks)

    def _slice(self, session: FoldedSession, number: int, begin: int, end: int) -> list[Tick]:
        if not self._symbols:
            return []
        count = self._per_slice
        numbers = number * count + np.arange(count)
        seeds = (self._seed, session.open // _SECOND, number % _SEEDS)
        rng = np.random.default_rng(seeds)
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


def _by_second(begin: int, end: int, ticks: list[Tick]) -> Iterator[tuple[int, list[Tick]]]:
    """A slice in pieces of a second: in real time a whole one would come in a burst."""
    for first in range(begin, end, _SECOND):
        last = min(first + _SECOND, end)
        yield last, [tick for tick in ticks if first <= tick.ts < last]


def _coprime(count: int) -> int:
    """A step that visits each of `count` places before any of them again."""
    step = max(1, round(count * 0.618))
    while math.gcd(step, count) != 1:
        step += 1
    return step
