"""Signals on live bars, by the function that makes gold."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

import numpy as np
from pydantic import BaseModel

from database.connection import Database
from database.live.signals import save_signals
from database.live.subscriptions import subscriptions
from lake.gold.history import History
from lake.gold.news_history import NewsHistory
from lake.gold.request import CONTEXT_SYMBOLS
from lake.gold.signal_pass import SignalPass, signal_pass
from lake.silver.evidence import digest
from live.bus.port import Bus
from live.history import LiveHistories, LiveHistory
from live.lag import Lag
from live.news_series import LiveNews
from storage.directory import Directory
from trading.bars.context import NEWS
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.events import BarClosed, SignalMade, Stream
from trading.indicators.library import talib
from trading.instruments.calendar import sessions
from trading.instruments.clock import NEW_YORK
from trading.strategies.protocol import SIGNAL_NAMES, Strategy
from trading.strategies.registry import checked_parameters, strategy_named

GROUP = "signals"
DAY_NANOSECONDS = 86_400 * 10**9
BARS_AT_ONCE = 500
"""Their signals are published before the next are read: none waits for thousands of bars."""

PREPARED_BEFORE = timedelta(hours=1)
"""How long before the opening histories are loaded: the lake has the last session by then."""

PREPARED_AT_ONCE = 5
LOOK_AGAIN_NANOSECONDS = 60 * 10**9
RECENT_NANOSECONDS = 5 * DAY_NANOSECONDS
"""Longer than any weekend with holidays."""


@dataclass(frozen=True, slots=True)
class LiveStrategy:
    """A strategy that runs on live bars of one interval.

    Attributes:
        strategy: The strategy.
        parameters: Its parameters.
        interval: Length of the bars.
    """

    strategy: Strategy[Any]
    parameters: BaseModel
    interval: Interval
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        hashed = digest(
            self.strategy.name, self.strategy.version, self.parameters.model_dump(mode="json")
        )
        object.__setattr__(self, "fingerprint", hashed)

    @classmethod
    def named(
        cls, name: str, interval: str, parameters: Mapping[str, Any] | None = None
    ) -> LiveStrategy:
        """The strategy of that name.

        Raises:
            ParameterError: There is none, a parameter is not allowed, or the interval is not one
                that live bars have.
        """
        known = [one for one in Interval if one.is_intraday and one is not Interval.HOUR]
        if interval not in known:
            raise ParameterError(
                "interval", interval, f"one of {', '.join(known)}", "pass one that live bars have"
            )
        strategy = strategy_named(name)
        return cls(strategy, checked_parameters(strategy, parameters or {}), Interval(interval))


def live_strategies(names: str, intervals: str) -> list[LiveStrategy]:
    """Each strategy on each interval, as users name them: both separated by commas.

    Raises:
        ParameterError: There is none of a name, or live bars have none of an interval.
    """
    return [
        LiveStrategy.named(name.strip(), interval.strip())
        for name in names.split(",")
        for interval in intervals.split(",")
    ]


class Signals:
    """What bars are read, and what strategies say of them.

    Args:
        bus: Where bars are from, and where signals go.
        database: Where live bars are, and where signals are kept.
        lake: Where older bars are.
        strategies: What runs on the bars.
        consumer: The name of this process among those that share the work.
        clock: Tells the time in nanoseconds since 1970 in UTC.
    """

    def __init__(
        self,
        bus: Bus,
        database: Database,
        lake: Directory,
        strategies: Sequence[LiveStrategy],
        consumer: str,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._bus = bus
        self._database = database
        self._strategies = strategies
        self._histories = LiveHistories(lake, database)
        self._news = LiveNews(lake, database)
        self._needs_news = {o.interval for o in strategies if NEWS in o.strategy.context}
        self._consumer = bus.consume(Stream.BARS, GROUP, consumer)
        self._clock = clock
        self._latest = self._prepare_at = 0
        self.signals = 0
        self.lag = Lag()
        # Takes seconds; the first bar should not wait for it.
        talib()

    def step(self, wait_seconds: float = 1.0) -> list[SignalMade]:
        """Take in the next bars, and publish and keep what strategies say of them.

        Raises:
            BusError, DatabaseError, StorageError: Nothing is lost: the bars come again.
            ContentError, DataError: The lake or a strategy is wrong, and stays so.
        """
        batch = self._consumer.fetch(BARS_AT_ONCE, wait_seconds)
        bars = [event for event in batch.events if isinstance(event, BarClosed)]
        if not bars:
            self._prepare()
        self._latest = max([self._latest, *(bar.available_at for bar in bars)])
        if with_news := {bar.symbol for bar in bars if bar.interval in self._needs_news}:
            self._news.look(with_news)
        self._load(bars)
        made = [signal for bar in bars for signal in self._of(bar)]
        save_signals(self._database, made)
        self._bus.publish_many(Stream.SIGNALS, ((signal.symbol, signal) for signal in made))
        self._consumer.acknowledge(batch)
        if made:
            now = time.time_ns()
            self.lag.add(now - published for published in batch.published_at)
        self.signals += len(made)
        return made

    def figures(self) -> dict[str, Any]:
        """What it has done, for its sign of life."""
        return {"signals": self.signals, "lag_ms": self.lag.milliseconds()}

    def close(self) -> None:
        """Let another process go on at once."""
        self._consumer.close()

    def _prepare(self) -> None:
        """Load what the session that is next will need, as long as there is nothing else to do.

        Of years of bars that takes a second a symbol, and the first bars of all come together.
        Prices of another time, as in a replay, have no session that one could wait for.
        """
        now = self._clock()
        if now < self._prepare_at or (self._latest and now - self._latest > RECENT_NANOSECONDS):
            return
        opens = next_open(now, PREPARED_BEFORE)
        symbols = sorted(subscriptions(self._database)) if opens else []
        intervals = {one.interval for one in self._strategies}
        wanted = [
            (interval, symbol)
            for interval in intervals
            for symbol in self._histories.lacking(interval, symbols, opens or now)
        ]
        for interval, symbol in wanted[:PREPARED_AT_ONCE]:
            self._histories.load(interval, [symbol], opens or now)
        if len(wanted) <= PREPARED_AT_ONCE:
            self._prepare_at = now + LOOK_AGAIN_NANOSECONDS

    def _load(self, bars: Sequence[BarClosed]) -> None:
        """Load the histories of all these bars' series together."""
        for interval in {one.interval for one in self._strategies}:
            days: dict[int, list[BarClosed]] = {}
            for bar in bars:
                if bar.interval == interval:
                    days.setdefault(bar.ts // DAY_NANOSECONDS, []).append(bar)
            for some in days.values():
                self._histories.load(interval, {bar.symbol for bar in some}, some[0].ts)

    def _of(self, bar: BarClosed) -> list[SignalMade]:
        asked = [one for one in self._strategies if one.interval == bar.interval]
        if not asked:
            return []
        history = self._histories.take(bar)
        return [self._said(bar, history, one) for one in asked]

    def _said(self, bar: BarClosed, history: LiveHistory, one: LiveStrategy) -> SignalMade:
        context: dict[str, History | NewsHistory] = {
            name: self._news.of(bar.symbol)
            if name == NEWS
            else self._histories.of(CONTEXT_SYMBOLS[name], one.interval, bar.ts).until(bar.ts)
            for name in one.strategy.context
        }
        made = signal_pass(
            history.until(bar.ts),
            one.interval,
            history.actions,
            strategy=one.strategy,
            parameters=one.parameters,
            context=context,
        )
        return _signal(bar, made, one)


def next_open(now: int, before: timedelta) -> int | None:
    """The opening of the session that goes on, or that begins soon; None if there is none.

    Args:
        now: Nanoseconds since 1970 in UTC.
        before: How long before it opens a session counts.
    """
    moment = datetime.fromtimestamp(now / 1e9, UTC)
    day = moment.astimezone(NEW_YORK).date()
    today = sessions(day, day)
    if not len(today):
        return None
    opens, closes = (int(times.astype(np.int64)[0]) for times in (today.opens, today.closes))
    return opens if opens - before // timedelta(microseconds=1) * 1000 <= now < closes else None


def _signal(bar: BarClosed, made: SignalPass, one: LiveStrategy) -> SignalMade:
    """What a pass says of its last bar."""
    if int(made.bars.timestamps[-1].astype(np.int64)) != bar.ts:
        raise AssertionError("a pass ends with the bar that it was made for")
    values = {name: _number(column[-1]) for name, column in made.columns.items()}
    target = values.pop("target", None)
    name = SIGNAL_NAMES[int(made.signal[-1])]
    return SignalMade(
        strategy=one.strategy.name,
        fingerprint=one.fingerprint,
        symbol=bar.symbol,
        interval=bar.interval,
        ts=bar.ts,
        signal=cast("Literal['buy', 'hold', 'sell']", name),
        close=bar.close,
        available_at=bar.available_at,
        target=target,
        values=values,
        revision=bar.revision,
    )


def _number(value: Any) -> float | None:  # noqa: ANN401 - of whatever kind a column is
    """A number for people and rules; None where there is none, as for texts."""
    if isinstance(value, str) or value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None
