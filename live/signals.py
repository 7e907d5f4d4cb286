"""Signals on live bars, by the function that makes gold."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any, Literal, cast

import numpy as np
from pydantic import BaseModel

from database.connection import Database
from database.live.signals import save_signals
from lake.gold.history import History
from lake.gold.news_history import NewsHistory
from lake.gold.request import CONTEXT_SYMBOLS
from lake.gold.signal_pass import SignalPass, signal_pass
from lake.silver.evidence import digest
from live.bus.port import Batch, Bus
from live.histories.loading import LiveHistories, LiveHistory, Series
from live.lag import Lag
from live.news_series import LiveNews
from live.preparation import Preparation
from storage.directory import Directory
from trading.bars.context import NEWS
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.events import BarClosed, SignalMade, Stream
from trading.instruments.clock import exchange_date
from trading.strategies.protocol import SIGNAL_NAMES, Strategy
from trading.strategies.registry import checked_parameters, strategy_named

GROUP = "signals"
BARS_AT_ONCE = 2_000
_LOADED_TOGETHER = 50
_PUBLISH_SECONDS = 0.05
"""After so much work what is made is published: the first signals wait for no others."""


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
    """

    def __init__(
        self,
        bus: Bus,
        database: Database,
        lake: Directory,
        strategies: Sequence[LiveStrategy],
        consumer: str,
    ) -> None:
        self._bus = bus
        self._database = database
        self._strategies = strategies
        self._histories = LiveHistories(lake, database)
        self._news = LiveNews(lake, database)
        self._needs_news = {o.interval for o in strategies if NEWS in o.strategy.context}
        self._preparation = Preparation(bus, database, self._series, self._load)
        self._consumer = bus.consume(Stream.BARS, GROUP, consumer)
        self.signals = 0
        self.lag = Lag()

    def step(self, wait_seconds: float = 1.0) -> list[SignalMade]:
        """Take in the next bars, and keep and publish what strategies say of them.

        Without bars it loads some of the histories that the session's first ones will need.

        Raises:
            BusError, DatabaseError, StorageError: Nothing is lost: the bars come again.
            ContentError, DataError: The lake or a strategy is wrong, and stays so.
        """
        wait_seconds = 0 if self._preparation.has_more else wait_seconds
        batch = self._consumer.fetch(BARS_AT_ONCE, wait_seconds)
        if not batch.events:
            self._preparation.go_on()
            return []
        self._look_for_news(batch)
        made = self._of_all(batch)
        self._consumer.acknowledge(batch)
        return made

    def figures(self) -> dict[str, Any]:
        """What it has done, for its sign of life."""
        return {"signals": self.signals, "lag_ms": self.lag.milliseconds()}

    def close(self) -> None:
        """Let another process go on at once."""
        self._consumer.close()

    def _look_for_news(self, batch: Batch) -> None:
        bars = [event for event in batch.events if isinstance(event, BarClosed)]
        if with_news := {bar.symbol for bar in bars if bar.interval in self._needs_news}:
            self._news.look(with_news)

    def _of_all(self, batch: Batch) -> list[SignalMade]:
        """The signals of a batch, all kept and published."""
        intervals = {one.interval for one in self._strategies}
        told = (
            (event, published)
            for event, published in zip(batch.events, batch.published_at, strict=True)
            if isinstance(event, BarClosed) and event.interval in intervals
        )
        made: list[SignalMade] = []
        waiting: list[tuple[SignalMade, int]] = []
        publish_at = time.monotonic() + _PUBLISH_SECONDS
        while together := list(islice(told, _LOADED_TOGETHER)):
            self._load_for(bar for bar, _ in together)
            for bar, published in together:
                waiting += [(signal, published) for signal in self._of(bar)]
                if time.monotonic() >= publish_at:
                    made += self._publish(waiting)
                    waiting = []
                    publish_at = time.monotonic() + _PUBLISH_SECONDS
        return made + self._publish(waiting)

    def _publish(self, made: Sequence[tuple[SignalMade, int]]) -> list[SignalMade]:
        """Keep and publish signals, each given with when its bar was published."""
        signals = [signal for signal, _ in made]
        save_signals(self._database, signals)
        self._bus.publish_many(Stream.SIGNALS, ((signal.symbol, signal) for signal in signals))
        now = time.time_ns()
        self.lag.add(now - published for _, published in made)
        self.signals += len(signals)
        return signals

    def _series(self, symbols: Collection[str]) -> list[Series]:
        """What is read for signals of some symbols, each once."""
        beside = {
            (CONTEXT_SYMBOLS[name], one.interval): None
            for one in self._strategies
            for name in one.strategy.context
            if name != NEWS
        }
        own = {(symbol, one.interval): None for symbol in symbols for one in self._strategies}
        return list(beside | own)

    def _load(self, series: Sequence[Series], day: date) -> None:
        """Load those of the series that are not, and their news."""
        missing = self._histories.missing(series, day)
        self._histories.load(missing, day)
        if with_news := {symbol for symbol, interval in missing if interval in self._needs_news}:
            self._news.look(with_news)

    def _load_for(self, bars: Iterable[BarClosed]) -> None:
        by_day: dict[date, list[Series]] = defaultdict(list)
        for bar in bars:
            by_day[exchange_date(bar.ts)].append((bar.symbol, Interval(bar.interval)))
        for day, series in by_day.items():
            self._histories.load(series, day)

    def _of(self, bar: BarClosed) -> list[SignalMade]:
        history = self._histories.take(bar)
        asked = [one for one in self._strategies if one.interval == bar.interval]
        return [self._said(bar, history, one) for one in asked]

    def _said(self, bar: BarClosed, history: LiveHistory, one: LiveStrategy) -> SignalMade:
        context: dict[str, History | NewsHistory] = {
            name: self._news.of(bar.symbol)
            if name == NEWS
            else self._histories.of(CONTEXT_SYMBOLS[name], one.interval, bar.ts).bars.until(bar.ts)
            for name in one.strategy.context
        }
        made = signal_pass(
            history.bars.until(bar.ts),
            one.interval,
            history.actions,
            strategy=one.strategy,
            parameters=one.parameters,
            context=context,
        )
        return _signal(bar, made, one)


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
