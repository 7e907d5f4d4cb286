"""Reading a Redis stream: as a member of a group, or alone.

One member of a group reads at a time, so that events of a key stay in order; the others stand by.
It holds a lease, which a dead one no longer renews: the next member then takes over, by XAUTOCLAIM,
what the dead one had got and not acknowledged.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal, cast
from uuid import uuid4

from redis.exceptions import ResponseError

from live.bus.port import Batch
from live.bus.redis_streams.connection import LONGEST_WAIT_SECONDS, RedisConnection
from live.bus.redis_streams.dead_letters import keep_aside
from live.bus.redis_streams.entries import ZERO, Entry, batch_of, id_numbers
from live.bus.redis_streams.names import lease_name, stream_name, trimmed_name
from live.bus.redis_streams.scripts import FORGET_MEMBERS, GIVE_UP_LEASE, TAKE_LEASE
from live.errors import BusError
from trading.events import Stream

LEASE_SECONDS = 10.0
"""How long a member may be silent before another takes over."""

_STAND_BY_SECONDS = 0.2
_LEASES_REMEMBERED = 60
"""How many leases long a member without a sign of life stays in its group: each new pod is one."""


class _Pace:
    """How many entries to ask for, so that they hold about as many events as are wanted."""

    def __init__(self) -> None:
        self._events_per_entry = 1.0

    def entries(self, events: int) -> int:
        return max(1, round(events / self._events_per_entry))

    def learn(self, events: int, entries: int) -> None:
        if entries:
            self._events_per_entry = max(1.0, events / entries)


class RedisTail:
    """A reader by itself, see `live.bus.port.Tail`."""

    def __init__(self, connection: RedisConnection, stream: Stream, after: str) -> None:
        self._connection = connection
        self._stream = stream
        self._after = after
        self._pace = _Pace()

    def fetch(self, most: int = 1000, wait_seconds: float = 1.0) -> Batch:
        """The next events, see `live.bus.port.Tail`."""
        wait = min(wait_seconds, LONGEST_WAIT_SECONDS)
        entries, trimmed = self._connection.ask(lambda: self._read(self._pace.entries(most), wait))
        missed = _is_missed(self._after, entries, trimmed)
        batch, unreadable = batch_of(self._stream, entries, self._after, missed=missed)
        keep_aside(self._connection, self._stream, unreadable)
        self._pace.learn(len(batch.events), len(entries))
        self._after = batch.offset
        if missed and not entries:
            self._after = trimmed or self._after
        return batch

    def close(self) -> None:
        """Stop reading."""

    def _read(self, count: int, wait: float) -> tuple[list[Entry], str | None]:
        name = stream_name(self._stream)
        block = max(1, round(wait * 1000)) if wait > 0 else None
        with self._connection.client.pipeline(transaction=False) as questions:
            questions.xread({name: self._after}, count=count, block=block)
            # After the reading: what was trimmed in between was read.
            questions.get(trimmed_name(self._stream))
            found, trimmed = questions.execute()
        return (found[0][1] if found else []), (trimmed.decode() if trimmed else None)


class RedisConsumer:
    """A member of a group, see `live.bus.port.Consumer`."""

    def __init__(
        self,
        connection: RedisConnection,
        stream: Stream,
        group: str,
        consumer: str,
        *,
        start: Literal["first", "latest"],
        lease_seconds: float,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._group = group
        self._consumer = consumer
        # A name alone would let two processes of one name read at once.
        self._token = f"{consumer}:{uuid4().hex}"
        self._lease_milliseconds = round(lease_seconds * 1000)
        self._pace = _Pace()
        self._pending_from: str | None = ZERO
        self._forget_at = 0.0
        self._delivered = ZERO
        self._start(start)

    def fetch(self, most: int = 1000, wait_seconds: float = 1.0) -> Batch:
        """The next events, see `live.bus.port.Consumer`."""
        deadline = time.monotonic() + wait_seconds
        while not self._has_lease():
            if time.monotonic() + _STAND_BY_SECONDS > deadline:
                return Batch([], [], self._delivered)
            time.sleep(_STAND_BY_SECONDS)
        count = self._pace.entries(most)
        if self._pending_from is not None:
            batch = self._pending(count)
            if batch.events or batch.missed:
                return batch
        self._forget_dead()
        # Never longer than the lease lasts.
        left = max(0.0, deadline - time.monotonic())
        wait = min(left, LONGEST_WAIT_SECONDS, self._lease_milliseconds / 2000)
        entries, trimmed = self._connection.ask(lambda: self._new(count, wait))
        missed = _is_missed(self._delivered, entries, trimmed)
        return self._delivered_batch(entries, missed=missed)

    def acknowledge(self, batch: Batch) -> None:
        """Say that all of a batch is done."""
        if batch.receipt:
            name, ids = stream_name(self._stream), batch.receipt
            self._connection.ask(lambda: self._connection.client.xack(name, self._group, *ids))

    def close(self) -> None:
        """Leave the group."""
        key, name = lease_name(self._stream, self._group), stream_name(self._stream)
        client = self._connection.client
        try:
            if client.eval(GIVE_UP_LEASE, 1, key, self._token):
                # What it holds keeps it in the group until another has taken that over.
                client.eval(FORGET_MEMBERS, 1, name, self._group, "0", self._consumer, "")
        except Exception:  # noqa: BLE001 - the lease ends by itself
            return

    def _forget_dead(self) -> None:
        """Take long dead members out of the group, from time to time; what they held is ours."""
        if time.monotonic() < self._forget_at:
            return
        remembered = _LEASES_REMEMBERED * self._lease_milliseconds
        self._forget_at = time.monotonic() + remembered / 1000
        name, who = stream_name(self._stream), self._consumer
        self._connection.ask(
            lambda: self._connection.client.eval(
                FORGET_MEMBERS, 1, name, self._group, str(remembered), "", who
            )
        )

    def _start(self, start: Literal["first", "latest"]) -> None:
        name = stream_name(self._stream)
        begin = ZERO if start == "first" else "$"
        try:
            self._connection.ask(
                lambda: self._connection.client.xgroup_create(
                    name, self._group, begin, mkstream=True
                )
            )
        except BusError as error:
            if not _says(error, "BUSYGROUP"):
                raise

    def _has_lease(self) -> bool:
        key = lease_name(self._stream, self._group)
        answer = self._connection.ask(
            lambda: self._connection.client.eval(
                TAKE_LEASE, 1, key, self._token, str(self._lease_milliseconds)
            )
        )
        if answer == 2:  # noqa: PLR2004 - taken now: another may have read meanwhile
            self._pending_from = ZERO
            self._delivered = self._last_delivered()
        return bool(answer)

    def _last_delivered(self) -> str:
        name = stream_name(self._stream)
        groups = cast(
            "Sequence[dict[str, bytes]]",
            self._connection.ask(lambda: self._connection.client.xinfo_groups(name)),
        )
        for group in groups:
            if group["name"].decode() == self._group:
                return group["last-delivered-id"].decode()
        return ZERO

    def _pending(self, count: int) -> Batch:
        """What was delivered and not acknowledged, from where the last such look ended."""
        name, begin = stream_name(self._stream), self._pending_from or ZERO
        answer = self._connection.ask(
            lambda: self._connection.client.xautoclaim(
                name, self._group, self._consumer, 0, begin, count
            )
        )
        following, entries, deleted = cast("tuple[bytes, list[Entry], list[bytes]]", answer)
        self._pending_from = None if following.decode() == ZERO else following.decode()
        batch = self._delivered_batch(entries, missed=bool(deleted), moves=False)
        if not batch.events and self._pending_from is not None and not batch.missed:
            return self._pending(count)
        return batch

    def _new(self, count: int, wait: float) -> tuple[list[Entry], str | None]:
        name = stream_name(self._stream)
        block = max(1, round(wait * 1000)) if wait > 0 else None
        try:
            with self._connection.client.pipeline(transaction=False) as questions:
                questions.xreadgroup(
                    self._group, self._consumer, {name: ">"}, count=count, block=block
                )
                questions.get(trimmed_name(self._stream))
                found, trimmed = questions.execute()
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            # A bus that lost its data: everything in it is new.
            self._start("first")
            return [], None
        return (found[0][1] if found else []), (trimmed.decode() if trimmed else None)

    def _delivered_batch(self, entries: list[Entry], *, missed: bool, moves: bool = True) -> Batch:
        batch, unreadable = batch_of(self._stream, entries, self._delivered, missed=missed)
        keep_aside(self._connection, self._stream, unreadable)
        self._pace.learn(len(batch.events), len(entries))
        if moves:
            self._delivered = batch.offset
        if not batch.events:
            self.acknowledge(batch)
        return batch


def _is_missed(after: str, entries: Sequence[Entry], trimmed: str | None) -> bool:
    """Whether entries after an ID were trimmed before they were read."""
    if trimmed is None or after == ZERO:
        return False
    lost = id_numbers(trimmed)
    if lost <= id_numbers(after):
        return False
    return not entries or id_numbers(entries[0][0].decode()) > lost


def _says(error: BusError, word: str) -> bool:
    return isinstance(error.__cause__, ResponseError) and word in str(error.__cause__)
