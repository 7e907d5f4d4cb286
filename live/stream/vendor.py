"""A vendor's stream, kept alive: mute or lost it is connected anew, and its gap is filled first."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from adapters.market_data.bar_source import AccessError, BarSource
from adapters.market_data.protocol import SourceError
from adapters.market_data.sources import SourceKeys, SourceName, bar_source
from adapters.market_data.streaming.protocol import TradeStream
from live.stream.backfill import SETTLED_SECONDS, Backfill
from live.stream.source import time_tick
from trading.bars.folding.session import MINUTE, session_at
from trading.events import Tick

ANSWER_SECONDS = 10.0
"""How long the vendor may take to connect, and to answer a login."""

_TIME_SECONDS = 0.25
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
_AT_ONCE = 5_000

logger = logging.getLogger(__name__)


class VendorTicks:
    """See `live.stream.source.TickSource`.

    While there is a gap it tells no time, and keeps back what came after the gap.

    Args:
        stream: The vendor's stream.
        rest: Where minutes of a gap are fetched.
        symbols: The symbols.
        stale_seconds: Silence in a session after which the connection is made anew.
        after: The last time that was told, nanoseconds since 1970 in UTC; 0 for never.
        now: The time, nanoseconds since 1970 in UTC.
        settled_seconds: How long after its end a minute is asked for by REST.
    """

    ended = False

    def __init__(
        self,
        stream: TradeStream,
        rest: BarSource,
        symbols: Collection[str],
        *,
        stale_seconds: float,
        after: int,
        now: Callable[[], int] = time.time_ns,
        settled_seconds: float = SETTLED_SECONDS,
    ) -> None:
        self._stream = stream
        self._rest = rest
        self._wanted = frozenset(symbols)
        self._asked: frozenset[str] = frozenset()
        self._stale = int(stale_seconds * 1e9)
        self._told = after
        self._now = now
        self._settled_seconds = settled_seconds
        self._connection: ClientConnection | None = None
        self._backfill: Backfill | None = None
        self._gap: tuple[frozenset[str], int, int] = (frozenset(), 0, 0)
        self._unconfirmed: frozenset[str] = frozenset()
        self._confirm_until = 0.0
        self._kept_back: list[Tick] = []
        self._heard_at = self._next_time = 0
        self._pause, self._try_at = _FIRST_PAUSE, 0.0
        self._ticks = self._reconnects = self._stale_times = self._gaps = 0

    def take(self, wait_seconds: float) -> Sequence[Tick]:
        """The next trades and times; see `live.stream.source.TickSource`."""
        if self._connection is None and not self._connected(wait_seconds):
            return []
        try:
            ticks = self._heard(wait_seconds)
            self._ask()
        except (ConnectionClosed, TimeoutError, OSError) as error:
            self._lose(f"the connection was lost ({type(error).__name__})")
            return []
        except AccessError:
            raise
        except SourceError as error:
            self._lose(str(error))
            return []
        self._ticks += len(ticks)
        return self._released(ticks)

    def subscribe(self, symbols: Collection[str]) -> None:
        """Ask for these symbols and no others, on the connection that there is."""
        self._wanted = frozenset(symbols)

    def figures(self) -> Mapping[str, Any]:
        """What it has done, for a sign of life."""
        return {
            "ticks": self._ticks,
            "symbols": len(self._wanted),
            "connected": self._connection is not None,
            "reconnects": self._reconnects,
            "stale": self._stale_times,
            "gaps": self._gaps,
            "filling_gap": self._backfill is not None,
            "unconfirmed": len(self._unconfirmed),
        }

    def close(self) -> None:
        """End the connection."""
        if self._backfill is not None:
            self._backfill.give_up()
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _connected(self, wait_seconds: float) -> bool:
        """Connect when it is time to try again."""
        left = self._try_at - time.monotonic()
        if left > 0:
            time.sleep(min(left, wait_seconds))
            return False
        try:
            connection = connect(
                self._stream.url, open_timeout=ANSWER_SECONDS, max_size=2**24, close_timeout=2
            )
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
            self._try_later(f"it cannot be reached ({type(error).__name__})")
            return False
        self._connection = connection
        try:
            self._stream.log_in(connection.send, lambda: connection.recv(ANSWER_SECONDS))
        except AccessError:
            self.close()
            raise
        except (ConnectionClosed, TimeoutError, OSError, SourceError) as error:
            self._lose(f"it did not let us in ({error})")
            return False
        self._asked = frozenset()
        self._unconfirmed = frozenset()
        now = self._heard_at = self._now()
        self._begin_gap(self._wanted, self._told or session_at(now, 0).open)
        return True

    def _begin_gap(self, symbols: Collection[str], begin: int) -> None:
        """Fetch what was traded from a moment on, up to the end of this minute."""
        end = (self._now() // MINUTE + 1) * MINUTE
        self._gap = (frozenset(symbols), begin, end)
        if begin >= end or session_at(begin, 0).open >= end:
            return  # between sessions nothing is traded
        if self._backfill is None:
            self._gaps += 1
            logger.info("Filling a gap of %s's stream before bars go on.", self._stream.name)
        else:
            self._backfill.give_up()
        self._backfill = Backfill(
            self._rest, symbols, begin, end, self._now, settled_seconds=self._settled_seconds
        )

    def _heard(self, wait_seconds: float) -> list[Tick]:
        """What has come; waits for the first message alone."""
        assert self._connection is not None  # noqa: S101 - the caller has looked
        ticks: list[Tick] = []
        wait = min(wait_seconds, _TIME_SECONDS)
        while len(ticks) < _AT_ONCE:
            try:
                message = self._connection.recv(wait)
            except TimeoutError:
                break
            ticks += self._stream.ticks(message)
            if self._unconfirmed:
                self._confirm(self._unconfirmed & frozenset(self._stream.confirmed(message)))
            wait = 0
        now = self._now()
        if ticks:
            self._heard_at = now
            self._pause = _FIRST_PAUSE
        if self._unconfirmed and time.monotonic() > self._confirm_until:
            logger.warning(
                "%s's stream has not confirmed %s; bars continue without it.",
                self._stream.name, ", ".join(sorted(self._unconfirmed)),
            )  # fmt: skip
            self._confirm(self._unconfirmed)
        elif not ticks and self._is_stale(now):
            self._stale_times += 1
            raise SourceError(
                "stream", f"nothing came for {self._stale / 1e9:.0f} s", transient=True
            )
        return ticks

    def _confirm(self, symbols: frozenset[str]) -> None:
        """Note what is told from now on; the gap is no shorter than until all are."""
        self._unconfirmed -= symbols
        gap_of, begin, end = self._gap
        if symbols and not self._unconfirmed and self._now() >= end:
            self._begin_gap(gap_of, begin)

    def _is_stale(self, now: int) -> bool:
        session = session_at(now, 0)
        silent_since = max(self._heard_at, session.open)
        return bool(self._asked) and now >= session.open and now - silent_since > self._stale

    def _ask(self) -> None:
        """Ask for what is wanted and was not asked for yet."""
        added, left_out = self._wanted - self._asked, self._asked - self._wanted
        if self._connection is None or not (added or left_out):
            return
        first = not self._asked
        if not first and self._backfill is not None:
            return  # one gap after the other
        for message in (*self._stream.unsubscribe(left_out), *self._stream.subscribe(added)):
            self._connection.send(message)
        self._asked = self._wanted
        self._unconfirmed = added
        self._confirm_until = time.monotonic() + ANSWER_SECONDS
        if added and not first:
            # Of the symbols that are new the session so far is missing.
            self._begin_gap(added, session_at(self._now(), 0).open)

    def _released(self, ticks: list[Tick]) -> Sequence[Tick]:
        """What may be told now, and the time unless there is a gap."""
        self._kept_back += ticks
        if self._unconfirmed:
            return []
        minutes: Sequence[Tick] = ()
        if self._backfill is not None:
            if self._backfill.minutes is None:
                return []
            minutes, self._backfill = self._backfill.minutes, None
        told, self._kept_back = [*minutes, *self._kept_back], []
        now = self._now()
        if now < self._next_time:
            return told
        self._next_time = now + int(_TIME_SECONDS * 1e9)
        self._told = now
        return [*told, time_tick(now)]

    def _lose(self, why: str) -> None:
        self.close()
        self._backfill = None
        self._kept_back = []
        self._reconnects += 1
        self._try_later(why)

    def _try_later(self, why: str) -> None:
        pause = self._pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        logger.warning("%s's stream: %s; trying again in %.1f s.", self._stream.name, why, pause)
        self._try_at = time.monotonic() + pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


def vendor_ticks(
    name: str, symbols: Collection[str], keys: SourceKeys, *, stale_seconds: float, after: int
) -> VendorTicks:
    """The stream of a vendor, with its own REST interface for gaps.

    Raises:
        ParameterError: A key is missing.
    """
    source = SourceName(name)
    stream: TradeStream
    if source is SourceName.ALPACA:
        from adapters.market_data.streaming.alpaca import AlpacaTrades  # noqa: PLC0415 - only this one

        stream = AlpacaTrades(keys.alpaca_key_id, keys.alpaca_secret_key)
    else:
        from adapters.market_data.streaming.polygon import PolygonTrades  # noqa: PLC0415 - as above

        stream = PolygonTrades(keys.polygon_api_key)
    return VendorTicks(
        stream, bar_source(source, keys), symbols, stale_seconds=stale_seconds, after=after
    )
