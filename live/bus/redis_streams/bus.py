"""The bus on Redis Streams: publishing, trimming, and what reads it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, Self, cast

from live.bus.port import BEGINNING, Batch, DeadLetter
from live.bus.reconnection import PATIENCE_SECONDS
from live.bus.redis_streams.connection import RedisConnection
from live.bus.redis_streams.dead_letters import keep_aside, kept_aside
from live.bus.redis_streams.entries import (
    EVENTS_PER_ENTRY,
    ZERO,
    Entry,
    batch_of,
    entries_of,
    id_numbers,
)
from live.bus.redis_streams.names import DEAD_LETTERS, stream_name, trimmed_name
from live.bus.redis_streams.readers import LEASE_SECONDS, RedisConsumer, RedisTail
from live.bus.redis_streams.scripts import PUBLISH, TRIM
from live.bus.retention import Retention
from live.errors import BusError, BusRewoundError
from trading.events import Event, Stream

_TRIM_SECONDS = 60.0


class RedisBus:
    """See `live.bus.port.Bus`.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with the password if there is one.
        retention: How long events are kept.
        patience_seconds: How long a call waits for a server that is away.
        lease_seconds: How long a member of a group may be silent before another takes over.

    Raises:
        ParameterError: The URL cannot be used.
    """

    def __init__(
        self,
        url: str,
        retention: Retention = Retention(),  # noqa: B008 - frozen
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._connection = RedisConnection(url, patience_seconds)
        self._retention = retention
        self._lease_seconds = lease_seconds
        self._publish = self._connection.client.register_script(PUBLISH)
        self._published: dict[Stream, bytes] = {}
        self._trim_at: dict[Stream, float] = defaultdict(time.monotonic)

    def publish(self, stream: Stream, key: str, event: Event) -> None:
        """Add an event."""
        self.publish_many(stream, [(key, event)])

    def publish_many(self, stream: Stream, events: Iterable[tuple[str, Event]]) -> None:
        """Add events, all or none."""
        entries = list(entries_of(stream, (event for _, event in events)))
        if not entries:
            return
        self._add(stream, entries)
        if time.monotonic() >= self._trim_at[stream]:
            self._trim_at[stream] = time.monotonic() + _TRIM_SECONDS
            self._trim(stream)

    def consume(
        self,
        stream: Stream,
        group: str,
        consumer: str,
        start: Literal["first", "latest"] = "first",
    ) -> RedisConsumer:
        """Join a group."""
        return RedisConsumer(
            self._connection,
            stream,
            group,
            consumer,
            start=start,
            lease_seconds=self._lease_seconds,
        )

    def tail(self, stream: Stream, after: str | None = None) -> RedisTail:
        """Read without a group."""
        if after is None:
            after = self.read_latest(stream, 1).offset
        elif after == BEGINNING:
            after = ZERO
        try:
            id_numbers(after)
        except ValueError:
            raise BusError(
                f"{after!r} is no offset of a bus on Redis; read from another."
            ) from None
        return RedisTail(self._connection, stream, after)

    def read_latest(self, stream: Stream, count: int = 1000) -> Batch:
        """About the last `count` events."""
        found: list[Entry] = []
        events, before = 0, "+"
        name = stream_name(stream)
        # Entries hold one event to some hundred: read backwards until there are enough.
        while events < count:
            asked = max(1, (count - events) // EVENTS_PER_ENTRY)
            older = cast(
                "list[Entry]",
                self._connection.ask(
                    lambda before=before, asked=asked: self._connection.client.xrevrange(  # type: ignore[misc]
                        name, before, count=asked
                    )
                ),
            )
            if not older:
                break
            found += older
            before = f"({older[-1][0].decode()}"
            events += sum(len(batch_of(stream, [entry], ZERO)[0].events) for entry in older)
        batch, unreadable = batch_of(stream, found[::-1], ZERO)
        keep_aside(self._connection, stream, unreadable)
        return batch

    def dead_letters(self, count: int = 100) -> Sequence[DeadLetter]:
        """The last of what was kept aside."""
        return kept_aside(self._connection, count)

    def trim(self) -> None:
        """Forget what is older than each stream keeps."""
        for stream in Stream:
            self._trim(stream)
        oldest = self._now() - self._retention.milliseconds(Stream.BARS)
        self._connection.ask(lambda: self._connection.client.xtrim(DEAD_LETTERS, minid=oldest))

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, stream: Stream, entries: Sequence[bytes]) -> None:
        """Add entries after those that this publisher has added.

        Raises:
            BusRewoundError: The bus lost those.
        """
        names = [stream_name(stream), trimmed_name(stream)]
        last = self._published.get(stream, b"")
        added = self._connection.ask(lambda: self._publish(names, [last, *entries]))
        if added is None:
            del self._published[stream]  # it is said once
            raise BusRewoundError(
                f"The bus at {self._connection.place} came back without the last {stream} that it "
                "had taken; start this process again, and it goes on from what is left."
            )
        self._published[stream] = cast("bytes", added)

    def _trim(self, stream: Stream) -> None:
        oldest = self._now() - self._retention.milliseconds(stream)
        names = (stream_name(stream), trimmed_name(stream))
        self._connection.ask(
            lambda: self._connection.client.eval(TRIM, len(names), *names, str(oldest))
        )

    def _now(self) -> int:
        """The server's clock, which its IDs are of, in milliseconds."""
        seconds, microseconds = self._connection.ask(self._connection.client.time)
        return seconds * 1000 + microseconds // 1000
