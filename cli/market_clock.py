"""The time of the market for who asks often: the wall's, or that which a replay tells."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal

from live.bus.opening import open_bus
from live.errors import BusError
from live.stream.publishing import last_time_told
from trading.instruments.clock import moment_of

_LOOK_SECONDS = 0.5


@contextlib.contextmanager
def market_clock(
    clock: Literal["wall", "events"], bus_url: str | None
) -> Iterator[Callable[[], datetime]]:
    """A clock that may be asked at any moment, by any thread.

    Args:
        clock: Whose time it is; `events` is the last that the bus was told, and the wall's until
            it was told one.
        bus_url: The bus; without one the time is the wall's.
    """
    if clock == "wall" or bus_url is None:
        yield _wall
        return
    told = _ToldTime(bus_url)
    try:
        yield told
    finally:
        told.stop()


def _wall() -> datetime:
    return datetime.now(UTC)


class _ToldTime:
    """The last time told, looked up in a thread of its own."""

    def __init__(self, bus_url: str) -> None:
        self._bus_url = bus_url
        self._told: datetime | None = None
        self._stopped = threading.Event()
        threading.Thread(target=self._follow, name="market-clock", daemon=True).start()

    def __call__(self) -> datetime:
        return self._told or _wall()

    def stop(self) -> None:
        self._stopped.set()

    def _follow(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(BusError), open_bus(self._bus_url) as bus:
                while not self._stopped.wait(_LOOK_SECONDS):
                    if told := last_time_told(bus):
                        self._told = moment_of(told)
            self._stopped.wait(_LOOK_SECONDS)
