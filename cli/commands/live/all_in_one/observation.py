"""What goes over the bus while `trading live` runs: counts, prices, and how long things take."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from live.bus.port import Batch, Bus
from live.bus.reconnection import PATIENCE_SECONDS
from live.errors import BusUnreachableError
from live.lag import Lag
from trading.events import (
    AlertChanged,
    BarClosed,
    OrderChanged,
    SignalMade,
    Stream,
    Tick,
)

_AT_ONCE = 20_000
_TIMES_KEPT = 20_000
_RATE_SECONDS = 5.0
_SETTLING_SECONDS = 10.0
"""After the first signal; until then processes that began later catch up, which is no lag."""


@dataclass(slots=True)
class SymbolRow:
    """The last that was heard of a symbol.

    Attributes:
        price: Its last price in dollars.
        ticks: How many ticks it had.
        bars: How many bars closed.
        last_bar: The last one, e.g. `1m 10:31`.
        signal: The last signal.
    """

    price: float = 0.0
    ticks: int = 0
    bars: int = 0
    last_bar: BarClosed | None = None
    signal: str = ""


@dataclass(slots=True)
class Counts:
    """How many there were of each; an event that came again counts once where it matters.

    Attributes:
        ticks: Ticks.
        bars: Bars and their corrections.
        signals: Signals.
        orders: Orders, by name.
        fills: Their fills.
        alerts: Alerts that began.
    """

    ticks: int = 0
    bars: int = 0
    signals: int = 0
    orders: set[str] = field(default_factory=set)
    fills: int = 0
    alerts: int = 0


class Observation:
    """Reads all streams from now on.

    Args:
        bus: The bus.
        lateness: Nanoseconds for which bars wait for their ticks.
    """

    def __init__(self, bus: Bus, lateness: int) -> None:
        self._lateness = lateness
        self._tails = {stream: bus.tail(stream) for stream in Stream}
        self._times: deque[tuple[int, int]] = deque(maxlen=_TIMES_KEPT)
        self._rates: deque[tuple[float, int]] = deque(maxlen=64)
        self.counts = Counts()
        self.symbols: dict[str, SymbolRow] = {}
        self._measure_from: float | None = None
        self._answered_at = time.monotonic()
        self.clock = 0
        self.lag = Lag()

    def look(self) -> None:
        """Take in what there is; while the bus is away that is nothing.

        Raises:
            BusError: The bus cannot be read, or is away for longer than its processes wait.
        """
        try:
            self._look()
        except BusUnreachableError:
            if time.monotonic() - self._answered_at > PATIENCE_SECONDS:
                raise
            return
        self._answered_at = time.monotonic()

    def _look(self) -> None:
        for stream, tail in self._tails.items():
            while True:
                batch = tail.fetch(_AT_ONCE, 0)
                self._take(batch)
                if len(batch.events) < _AT_ONCE or stream is not Stream.TICKS:
                    break
        self._rates.append((time.monotonic(), self.counts.ticks))

    @property
    def ticks_per_second(self) -> float:
        """Over the last seconds."""
        now = time.monotonic()
        while len(self._rates) > 2 and self._rates[1][0] < now - _RATE_SECONDS:  # noqa: PLR2004 - both ends stay
            self._rates.popleft()
        if len(self._rates) < 2:  # noqa: PLR2004 - two moments make a rate
            return 0.0
        (began, before), (ended, after) = self._rates[0], self._rates[-1]
        return (after - before) / max(ended - began, 1e-9)

    def summary(self) -> dict[str, Any]:
        """The counts as JSON can hold them."""
        counts = self.counts
        return {
            "ticks": counts.ticks,
            "bars": counts.bars,
            "signals": counts.signals,
            "orders": len(counts.orders),
            "fills": counts.fills,
            "alerts": counts.alerts,
            "lag_ms": self.lag.milliseconds(),
        }

    def _take(self, batch: Batch) -> None:
        for event, published in zip(batch.events, batch.published_at, strict=True):
            match event:
                case Tick():
                    self._tick(event, published)
                case BarClosed():
                    self._bar(event)
                case SignalMade():
                    self._signal(event, published)
                case OrderChanged():
                    self.counts.orders.add(event.client_order_id)
                    self.counts.fills += event.price is not None
                case AlertChanged():
                    self.counts.alerts += event.kind == "firing"
                case _:
                    pass

    def _tick(self, tick: Tick, published: int) -> None:
        if not tick.symbol:
            self.clock = max(self.clock, tick.ts)
            self._times.append((tick.ts, published))
            return
        self.counts.ticks += 1
        row = self.symbols.setdefault(tick.symbol, SymbolRow())
        row.price = tick.price
        row.ticks += 1

    def _bar(self, bar: BarClosed) -> None:
        self.counts.bars += 1
        row = self.symbols.setdefault(bar.symbol, SymbolRow())
        row.bars += 1
        row.last_bar = bar

    def _signal(self, signal: SignalMade, published: int) -> None:
        self.counts.signals += 1
        self.symbols.setdefault(signal.symbol, SymbolRow()).signal = signal.signal
        now = time.monotonic()
        if self._measure_from is None:
            self._measure_from = now + _SETTLING_SECONDS
        if now < self._measure_from:
            return
        # The time that closed the bar is the first one told after its end and the lateness.
        at = bisect_left(self._times, (signal.available_at + self._lateness, 0))
        if at < len(self._times) and not signal.revision:
            self.lag.add([published - self._times[at][1]])
