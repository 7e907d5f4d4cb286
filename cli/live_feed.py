"""The bus as the API reads it: each stream in a thread of its own, all into one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Mapping

from api.feed import FeedItem, FeedLostError
from live.bus.opening import open_bus
from live.bus.port import Batch
from live.errors import BusError
from trading.events import Stream

WAIT_SECONDS = 2.0
"""How long a reader waits for the first event before it says that the bus answers."""

PATIENCE_SECONDS = 3.0
"""How long the bus may be away before viewers are told; the hub asks again by itself."""

_MOST = 1_000
_QUEUED = 64
"""Batches that may wait for the event loop; then the readers wait."""

_Said = tuple[Stream, Batch] | BusError | None


class BusFeed:
    """The events of a bus.

    Args:
        url: The bus.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    async def events(self, after: Mapping[Stream, str]) -> AsyncIterator[FeedItem | None]:
        """What comes after the given places; of a stream without one, its last events first.

        Raises:
            FeedLostError: The bus cannot be reached, or its connection broke.
        """
        readers = _Readers(self._url, asyncio.get_running_loop())
        for stream in Stream:
            readers.start(stream, after.get(stream))
        try:
            while True:
                match await readers.said.get():
                    case BusError() as error:
                        raise FeedLostError(str(error)) from error
                    case (stream, batch):
                        for item in _items(stream, batch):
                            yield item
                    case _:
                        yield None
        finally:
            readers.stop()


class _Readers:
    """A thread for each stream; what they read waits for the event loop."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.said: asyncio.Queue[_Said] = asyncio.Queue(_QUEUED)
        self._url = url
        self._loop = loop
        self._stopped = threading.Event()

    def start(self, stream: Stream, after: str | None) -> None:
        """Read a stream from a place on, or its last events first."""
        name = f"feed-{stream}"
        threading.Thread(target=self._read, args=[stream, after], name=name, daemon=True).start()

    def stop(self) -> None:
        """Let the threads end."""
        self._stopped.set()

    def _read(self, stream: Stream, after: str | None) -> None:
        try:
            with open_bus(self._url, patience_seconds=PATIENCE_SECONDS) as bus:
                if after is None:
                    latest = bus.read_latest(stream, _MOST)
                    after = latest.offset
                    self._say((stream, latest))
                with contextlib.closing(bus.tail(stream, after)) as tail:
                    while not self._stopped.is_set():
                        batch = tail.fetch(_MOST, WAIT_SECONDS)
                        self._say((stream, batch) if batch.events or batch.missed else None)
        except BusError as error:
            self._say(error)

    def _say(self, what: _Said) -> None:
        """Wait until the event loop has room for it, or nobody listens any more."""
        putting = self.said.put(what)
        try:
            waiting = asyncio.run_coroutine_threadsafe(putting, self._loop)
        except RuntimeError:  # the event loop has ended: nobody listens any more
            putting.close()
            return
        while not self._stopped.is_set() and not self._loop.is_closed():
            with contextlib.suppress(TimeoutError):
                waiting.result(WAIT_SECONDS)
                return
        waiting.cancel()


def _items(stream: Stream, batch: Batch) -> list[FeedItem]:
    """The events of a batch; its offset belongs to the last, so that none is passed over."""
    items = [
        FeedItem(stream, None, event, missed=batch.missed and not number)
        for number, event in enumerate(batch.events)
    ]
    if items:
        items[-1] = FeedItem(stream, batch.offset, items[-1].event, missed=items[-1].missed)
    return items
