"""What readers of Redis streams could not make sense of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from live.bus.encoding import Unreadable
from live.bus.port import DeadLetter
from live.bus.redis_streams.connection import RedisConnection
from live.bus.redis_streams.entries import Entry
from live.bus.redis_streams.names import DEAD_LETTERS
from trading.events import Stream


def keep_aside(
    connection: RedisConnection, stream: Stream, unreadable: Sequence[tuple[str, Unreadable]]
) -> None:
    """Keep what cannot be read, before what it came with is acknowledged."""
    for offset, one in unreadable:
        fields = {
            "stream": stream.value, "offset": offset, "reason": one.reason, "payload": one.payload,
        }  # fmt: skip
        connection.ask(lambda fields=fields: connection.client.xadd(DEAD_LETTERS, fields))  # type: ignore[misc]


def kept_aside(connection: RedisConnection, count: int) -> list[DeadLetter]:
    """The last of them, the latest at the end."""
    answer = connection.ask(lambda: connection.client.xrevrange(DEAD_LETTERS, count=count))
    return [
        DeadLetter(
            stream=Stream(fields[b"stream"].decode()),
            offset=fields[b"offset"].decode(),
            reason=fields[b"reason"].decode(),
            payload=fields[b"payload"],
        )
        for _, fields in reversed(cast("list[Entry]", answer))
    ]
