"""The live events of one process: read once from the feed, and held for everybody who looks.

A listener asks for what came since the place where it is, when it is ready to send: a slow one gets
fewer, newer events and the number it missed, and no one waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from api.feed import Feed, FeedItem, FeedLostError
from trading.events import (
    AlertChanged,
    ArticleSeen,
    BarClosed,
    Event,
    OrderChanged,
    SignalMade,
    Stream,
    Tick,
)
from trading.instruments.clock import moment_of

TICK_SECONDS = 0.1
"""How often listeners are told that there is something new."""

KEPT = 10_000
"""Events kept of each channel, for listeners that were away."""

CONFLATED = frozenset({Stream.TICKS, Stream.BARS})
"""Channels of which the newest event of a key makes the older ones needless."""

_LONGEST_PAUSE = 5.0
_TIMES = ("ts", "at", "available_at", "usable_from")
_LOG = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Entry:
    """One event in its place.

    Attributes:
        sequence: Its number, of all channels together.
        channel: The stream.
        symbols: Whom it is about.
        key: Events of the same key replace each other where a channel is conflated.
        event: The event.
    """

    sequence: int
    channel: Stream
    symbols: tuple[str, ...]
    key: str
    event: Event
    _encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """As JSON, made when it is first sent."""
        if self._encoded is None:
            content = {name: _value(name, value) for name, value in _fields(self.event)}
            self._encoded = msgspec.json.encode(
                {"sequence": self.sequence, "channel": self.channel.value, "event": content}
            )
        return self._encoded


@dataclass(frozen=True, slots=True)
class Interest:
    """What a listener wants.

    Attributes:
        channels: Of these streams.
        symbols: Of these symbols; None for all.
    """

    channels: frozenset[Stream]
    symbols: frozenset[str] | None = None

    def covers(self, entry: Entry) -> bool:
        """Whether the listener wants an event of one of its channels."""
        return self.symbols is None or not self.symbols.isdisjoint(entry.symbols)


@dataclass(frozen=True, slots=True)
class News:
    """What is new to a listener.

    Attributes:
        sequence: The place up to which it is.
        entries: The events, in order.
        missed: How many events of its interest are not among them.
    """

    sequence: int
    entries: tuple[Entry, ...]
    missed: int


@dataclass(slots=True)
class _Channel:
    recent: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))
    latest: OrderedDict[str, Entry] = field(default_factory=OrderedDict)
    forgotten: int = 0
    """The highest sequence that is no longer among the recent ones."""

    def add(self, entry: Entry) -> bool:
        """Take an event in; False when it is the one that was there already."""
        known = self.latest.get(entry.key)
        if known is not None and known.event.identity == entry.event.identity:
            return False
        if len(self.recent) == self.recent.maxlen:
            self.forgotten = max(self.forgotten, self.recent[0].sequence)
        self.recent.append(entry)
        self.latest[entry.key] = entry
        self.latest.move_to_end(entry.key)
        if len(self.latest) > KEPT:
            self.latest.popitem(last=False)
        return True


class EventHub:
    """The events of the feed, held for listeners; used by one event loop.

    Args:
        feed: Where they come from; None for a hub without events.

    Attributes:
        epoch: Names this run of the process: sequences of another one say nothing here.
        sequence: That of the newest event.
        last_event_at: When the newest event came; None before the first.
        lost_since: Since when the feed is gone; None while it is there.
    """

    def __init__(self, feed: Feed | None) -> None:
        self.epoch = secrets.token_hex(8)
        self.sequence = 0
        self.last_event_at: datetime | None = None
        self.lost_since: datetime | None = None
        self._feed = feed
        self._channels = {stream: _Channel() for stream in Stream}
        self._after: dict[Stream, str] = {}
        self._ticked = asyncio.Event()
        self._told = 0
        self._news: dict[tuple[int, Interest], News] = {}
        # With the news, so that no other can come to have their id meanwhile.
        self._messages: dict[tuple[str, int], tuple[News, str]] = {}

    @property
    def has_feed(self) -> bool:
        """Whether events can come at all."""
        return self._feed is not None

    def take(self, item: FeedItem) -> None:
        """Take in one event of the feed."""
        if item.offset is not None:
            self._after[item.stream] = item.offset
        if item.missed:
            self._channels[item.stream].forgotten = self.sequence
        key, symbols = _identified(item.event)
        entry = Entry(self.sequence + 1, item.stream, symbols, key, item.event)
        if self._channels[item.stream].add(entry):
            self.sequence = entry.sequence
            self.last_event_at = datetime.now(UTC)

    def seed(self, stream: Stream, events: Iterable[Event]) -> None:
        """Take in what was so before the feed was read, oldest first."""
        for event in events:
            key, symbols = _identified(event)
            entry = Entry(self.sequence + 1, stream, symbols, key, event)
            if self._channels[stream].add(entry):
                self.sequence = entry.sequence

    def snapshot(self, interest: Interest) -> News:
        """How things stand: the newest event of each key."""
        found = [
            entry
            for channel in interest.channels
            for entry in self._channels[channel].latest.values()
            if interest.covers(entry)
        ]
        return News(self.sequence, tuple(sorted(found, key=lambda entry: entry.sequence)), 0)

    def since(self, sequence: int, interest: Interest) -> News:
        """What came after a place; of conflated channels the newest of each key alone."""
        asked = (sequence, interest)
        known = self._news.get(asked)
        if known is None or known.sequence != self.sequence:
            known = self._news[asked] = self._collected(sequence, interest)
        return known

    def _collected(self, sequence: int, interest: Interest) -> News:
        found: list[Entry] = []
        missed = 0
        for name in interest.channels:
            channel = self._channels[name]
            new = itertools.takewhile(lambda e: e.sequence > sequence, reversed(channel.recent))
            wanted = [entry for entry in new if interest.covers(entry)]
            kept = _newest(wanted) if name in CONFLATED else wanted
            missed += len(wanted) - len(kept)
            if channel.forgotten > sequence:
                # How many of them were of interest is no longer known: at least one may have been.
                missed += 1
            found += kept
        found.sort(key=lambda entry: entry.sequence)
        return News(self.sequence, tuple(found), missed)

    def message(self, kind: str, news: News) -> str:
        """News as the text that is sent; of the same news and tick the same one."""
        known = self._messages.get((kind, id(news)))
        if known is None:
            events = [msgspec.Raw(entry.encoded) for entry in news.entries]
            content = {
                "type": kind,
                "epoch": self.epoch,
                "sequence": news.sequence,
                "missed": news.missed,
                "sent_at": datetime.now(UTC),
                "lost_since": self.lost_since,
                "events": events,
            }
            known = news, msgspec.json.encode(content).decode()
            self._messages[kind, id(news)] = known
        return known[1]

    async def ticked(self) -> None:
        """Wait for the next moment at which there is something new."""
        await self._ticked.wait()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read the feed for the time of the block."""
        tasks = [asyncio.create_task(self._tick())]
        if self._feed is not None:
            tasks.append(asyncio.create_task(self._read(self._feed)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.sequence != self._told:
                self._told = self.sequence
                self._news.clear()
                self._messages.clear()
                self._ticked.set()
                self._ticked = asyncio.Event()

    async def _read(self, feed: Feed) -> None:
        pause = TICK_SECONDS
        while True:
            began = time.monotonic()
            try:
                async for item in feed.events(self._after):
                    self.lost_since = None
                    if item is not None:
                        self.take(item)
            except FeedLostError as error:
                self._note_loss(str(error))
            except Exception:  # noqa: BLE001 - see below
                # A fault of the feed must not end the API: it says that its events are old.
                _LOG.exception("The feed failed")
                self._note_loss("a fault of the feed")
            lasted = time.monotonic() - began
            pause = TICK_SECONDS if lasted > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    def _note_loss(self, reason: str) -> None:
        if self.lost_since is None:
            self.lost_since = datetime.now(UTC)
            _LOG.warning("Live events are lost (%s); trying again", reason)


def _newest(entries: list[Entry]) -> list[Entry]:
    """The newest entry of each key, of entries that are newest first."""
    by_key: dict[str, Entry] = {}
    for entry in entries:
        by_key.setdefault(entry.key, entry)
    return list(by_key.values())


def _identified(event: Event) -> tuple[str, tuple[str, ...]]:
    """The key under which an event replaces others, and whom it is about."""
    match event:
        case Tick():
            return event.symbol, (event.symbol,)
        case BarClosed():
            return f"{event.symbol}:{event.interval}", (event.symbol,)
        case SignalMade():
            return f"{event.strategy}:{event.symbol}:{event.interval}", (event.symbol,)
        case OrderChanged():
            return event.client_order_id, (event.symbol,)
        case AlertChanged():
            return f"{event.rule}:{event.subject}", (event.subject,)
        case ArticleSeen():
            return event.id, event.symbols


def _fields(event: Event) -> Iterable[tuple[str, object]]:
    return ((name, getattr(event, name)) for name in event.__struct_fields__)


def _value(name: str, value: object) -> object:
    """Moments as text: a browser's numbers do not hold nanoseconds."""
    if name in _TIMES and isinstance(value, int):
        return moment(value)
    return value


def moment(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as text with microseconds, UTC."""
    return f"{moment_of(nanoseconds):%Y-%m-%dT%H:%M:%S.%fZ}"
