"""The executor as a process: from the bus through the executor to the bus, until it is stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from live.bus.port import Batch, Bus
from live.errors import BusError
from live.executor.clock import ExecutorClock
from live.executor.executor import Executor
from live.executor.publishing import Publishing
from trading.events import BarClosed, SignalMade, Stream

LOG = logging.getLogger(__name__)

WAIT_SECONDS = 0.05
"""How long a look at the bus waits: what comes meanwhile elsewhere waits as long."""

TICK_SECONDS = 0.25
"""Between two looks at what a person may have decided, and at what waits for its time."""


class ExecutorProcess:
    """One account's executor on the bus.

    Args:
        executor: The executor, started.
        bus: Where bars and signals come from.
        account: The account's name.
        publishing: Tells the bus of orders.
        clock: The executor's.
        report: Told now and then how it goes.
    """

    def __init__(
        self,
        *,
        executor: Executor,
        bus: Bus,
        account: str,
        publishing: Publishing,
        clock: ExecutorClock,
        report: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._executor = executor
        self._publishing = publishing
        self._clock = clock
        self._report = report
        group = f"executor-{account}"
        # A new account begins with what comes now: older signals are too late to trade.
        self._bars = bus.consume(Stream.BARS, group, "executor", start="latest")
        self._signals = bus.consume(Stream.SIGNALS, group, "executor", start="latest")
        self._tick_at = 0.0
        self._handled = {"bars": 0, "signals": 0, "updates": 0, "published": 0}

    def run(self, stopped: Callable[[], bool]) -> Mapping[str, int]:
        """Work until told to stop; what was handled.

        Args:
            stopped: Whether to stop.

        Raises:
            BusError: The bus is gone for longer than its patience.
            DatabaseError: The database is gone. Whoever started this process starts it again.
        """
        try:
            while not stopped():
                self.turn()
        finally:
            self._bars.close()
            self._signals.close()
        return dict(self._handled)

    def turn(self, wait_seconds: float = WAIT_SECONDS) -> None:
        """Take what there is, once."""
        bars = self._bars.fetch(wait_seconds=wait_seconds)
        signals = self._signals.fetch(wait_seconds=wait_seconds)
        self._handle(bars, signals)
        self._handled["updates"] += self._executor.receive()
        now = time.monotonic()
        if now >= self._tick_at:
            self._tick_at = now + TICK_SECONDS
            self._executor.tick()
            self._report({**self._handled, "reconciling": self._executor.reconciling})
        self._publish()

    def _handle(self, bars: Batch, signals: Batch) -> None:
        if not (bars.events or signals.events):
            return
        own_bars = [event for event in bars.events if isinstance(event, BarClosed)]
        own_signals = [event for event in signals.events if isinstance(event, SignalMade)]
        self._clock.saw(bar.available_at for bar in own_bars)
        self._clock.saw(signal.available_at for signal in own_signals)
        self._executor.handle(own_bars, own_signals)
        self._handled["bars"] += len(own_bars)
        self._handled["signals"] += len(own_signals)
        # Whatever was decided is in the ledger by now.
        if bars.events:
            self._bars.acknowledge(bars)
        if signals.events:
            self._signals.acknowledge(signals)

    def _publish(self) -> None:
        try:
            self._handled["published"] += self._publishing.publish()
        except BusError as error:
            LOG.warning("Orders cannot be published on the bus now: %s", error)
