"""The fold from ticks to bars: what it gives depends on the ticks' log alone.

A minute closes when the log's clock is past its end and the lateness allowed; a longer bar with its
last minute. Minutes are made of ticks; longer bars of minutes, by the kernel that makes silver, so
that both agree to the bit. A tick for a minute that has closed makes a new revision of every closed
bar that it is in. There is no other clock: a log that is read again gives the same bars and the
same revisions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from trading.bars.folding.closed import ClosedBar, ClosedMinutes
from trading.bars.folding.minute import Minute
from trading.bars.folding.session import MINUTE, FoldedSession, session_at
from trading.bars.folding.state import Counters, StoredFold
from trading.bars.intervals import MINUTE_INTERVALS, Interval
from trading.events import CLOCK, BarClosed, Tick

LATENESS_SECONDS = 2.0
REMEMBERED_MINUTES = 15

_MOST_REMEMBERED = 600
"""Minutes; with more a session would still be open when the next one begins."""

_NEVER = -1


@dataclass(frozen=True, slots=True)
class FoldSettings:
    """How bars are made.

    Attributes:
        intervals: Lengths of bars, the minute among them.
        lateness: Nanoseconds after a bar's end for which its ticks are waited for.
        remembered: Minutes after its closing for which a minute takes late ticks; later ones are
            counted, and left to what the source says of the day as a whole.
    """

    intervals: tuple[Interval, ...] = MINUTE_INTERVALS
    lateness: int = int(LATENESS_SECONDS * 1e9)
    remembered: int = REMEMBERED_MINUTES

    def __post_init__(self) -> None:
        if not 0 <= self.remembered <= _MOST_REMEMBERED:
            raise ValueError(f"remembered is {self.remembered}, not 0 to {_MOST_REMEMBERED}")


class Fold:
    """Ticks in, bars out.

    Args:
        settings: How bars are made; the same for a stored state as when it was stored.
    """

    def __init__(self, settings: FoldSettings = FoldSettings()) -> None:
        self.settings = settings
        self.counters = Counters()
        self._longest = max(interval.minutes for interval in settings.intervals)
        self._clock = 0
        self._over: list[FoldedSession] = []
        self._begin(FoldedSession(0, 0))

    @property
    def clock(self) -> int:
        """The last time that the log told, nanoseconds since 1970 in UTC."""
        return self._clock

    @property
    def session_open(self) -> int:
        """When the session opens whose bars are being made, nanoseconds since 1970 in UTC."""
        return self._session.open

    def has_told(self, bar: BarClosed) -> bool:
        """Whether this revision of a bar came of ticks taken in so far, and not of later ones."""
        session = self._session
        if not session.open <= bar.ts < session.close:
            return bar.ts < session.open
        at = self._symbols.get(bar.symbol)
        if at is None:
            return False
        minutes = Interval(bar.interval).minutes
        begin, end = session.bar_of((bar.ts - session.open) // MINUTE, minutes)
        last = self._revisions.get((at, minutes, begin))
        return end <= self._forgotten if last is None else bar.revision <= last

    def sessions_over(self) -> list[FoldedSession]:
        """Sessions that take no ticks any more, each once; their bars are final."""
        over, self._over = self._over, []
        return over

    @property
    def _known_at(self) -> int:
        """The clock in whole microseconds, as tables keep them: never earlier than it."""
        return -(-self._clock // 1000) * 1000

    def take(self, ticks: Iterable[Tick]) -> Iterator[BarClosed]:
        """The bars that these ticks close or correct, in the order in which they do."""
        for tick in ticks:
            if tick.symbol == CLOCK:
                yield from self._told_time(tick.ts)
            else:
                yield from self._told_trade(tick)

    def stored(self) -> bytes:
        """The state; `restored` goes on from it as if nothing had happened."""
        begin = max(0, self._forgotten - self._longest)
        symbols = len(self._symbols)
        return StoredFold(
            made_with=repr(self.settings),
            clock=self._clock,
            open=self._session.open,
            close=self._session.close,
            closed=self._closed,
            forgotten=self._forgotten,
            symbols=list(self._symbols),
            minutes=[
                (number, at, minute)
                for number, minutes in self._minutes.items()
                for at, minute in minutes.items()
            ],
            values_from=begin,
            values=self._values.stored(begin, self._closed, symbols),
            revisions=list(self._revisions.items()),
            counters=self.counters,
        ).encoded()

    @classmethod
    def restored(cls, state: bytes, settings: FoldSettings = FoldSettings()) -> Fold:
        """A fold that goes on from a stored state.

        Raises:
            DataError: The state is of another version of this program, or of other settings.
        """
        stored = StoredFold.decoded(state, repr(settings))
        fold = cls(settings)
        fold._clock = stored.clock
        fold._begin(FoldedSession(stored.open, stored.close))
        fold._closed, fold._forgotten = stored.closed, stored.forgotten
        fold._symbols = {symbol: at for at, symbol in enumerate(stored.symbols)}
        for number, at, minute in stored.minutes:
            fold._minutes.setdefault(number, {})[at] = minute
        fold._values.restore(stored.values_from, stored.closed, len(stored.symbols), stored.values)
        fold._revisions = dict(stored.revisions)
        fold.counters = stored.counters
        return fold

    def _begin(self, session: FoldedSession) -> None:
        self._session = session
        self._closed = 0
        self._forgotten = 0
        self._symbols: dict[str, int] = {}
        self._minutes: dict[int, dict[int, Minute]] = {}
        self._values = ClosedMinutes(session.minutes)
        self._revisions: dict[tuple[int, int, int], int] = {}

    def _told_time(self, ts: int) -> Iterator[BarClosed]:
        if ts <= self._clock:
            return
        self._clock = ts
        yield from self._close()
        # For as long after its close as a session still takes late ticks.
        after_close = self.settings.lateness + self.settings.remembered * MINUTE
        if ts >= self._session.close + after_close:
            self._over += [self._session] * bool(self._session.close)
            self._begin(session_at(ts, after_close))
            yield from self._close()

    def _told_trade(self, tick: Tick) -> Iterator[BarClosed]:
        session = self._session
        if not session.open <= tick.ts < session.close:
            self.counters.outside += 1
            return
        if not _is_sound(tick):
            self.counters.unsound += 1
            return
        number = (tick.ts - session.open) // MINUTE
        if number < self._forgotten:
            self.counters.too_late += 1
            return
        at = self._symbols.setdefault(tick.symbol, len(self._symbols))
        minutes = self._minutes.setdefault(number, {})
        minute = minutes.get(at)
        if minute is None:
            minute = minutes[at] = Minute()
        if not minute.add(tick):
            self.counters.without_effect += 1
        elif number < self._closed:
            self.counters.late += 1
            self._values.put(at, number, minute.values())
            yield from self._revised(at, number)

    def _close(self) -> Iterator[BarClosed]:
        due = (self._clock - self.settings.lateness - self._session.open) // MINUTE
        until = max(self._closed, min(due, self._session.minutes))
        names = list(self._symbols)
        for number in range(self._closed, until):
            for at, minute in self._minutes.get(number, {}).items():
                self._values.put(at, number, minute.values())
            self._closed = number + 1
            for interval in self.settings.intervals:
                begin, end = self._session.bar_of(number, interval.minutes)
                if end == number + 1:
                    for bar in self._values.bars(begin, end):
                        yield self._bar(names, bar, interval, (begin, end), corrected=False)
        self._forget(until - self.settings.remembered)

    def _revised(self, at: int, number: int) -> Iterator[BarClosed]:
        names = list(self._symbols)
        for interval in self.settings.intervals:
            begin, end = self._session.bar_of(number, interval.minutes)
            if end <= self._closed:
                for bar in self._values.bars(begin, end, at):
                    yield self._bar(names, bar, interval, (begin, end), corrected=True)

    def _bar(
        self,
        names: Sequence[str],
        bar: ClosedBar,
        interval: Interval,
        stretch: tuple[int, int],
        *,
        corrected: bool,
    ) -> BarClosed:
        begin, end = (self._session.open + minute * MINUTE for minute in stretch)
        key = (bar.symbol, interval.minutes, stretch[0])
        revision = self._revisions[key] = self._revisions.get(key, _NEVER) + 1
        open_, high, low, close, volume, vwap, trades = bar.values
        return BarClosed(
            symbol=names[bar.symbol],
            interval=interval.value,
            ts=begin,
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=volume,
            # What was wrong before could not have been acted on.
            available_at=max(end, self._known_at) if corrected else end,
            trades=None if math.isnan(trades) else int(trades),
            vwap=None if math.isnan(vwap) else vwap,
            revision=revision,
        )

    def _forget(self, before: int) -> None:
        if before <= self._forgotten:
            return
        for number in range(self._forgotten, before):
            self._minutes.pop(number, None)
        self._forgotten = before
        # Bars in which no minute takes a tick any more have their last revision.
        self._revisions = {
            key: revision
            for key, revision in self._revisions.items()
            if self._session.bar_of(key[2], key[1])[1] > before
        }


def _is_sound(tick: Tick) -> bool:
    """Whether prices are positive and finite, in order, and shares not negative."""
    whole = tick.minute
    if whole is None:
        return 0 < tick.price < math.inf and 0 <= tick.size < math.inf
    lowest, highest = sorted((whole.open, whole.close))
    return 0 < whole.low <= lowest <= highest <= whole.high < math.inf and (
        0 <= whole.volume < math.inf
    )
