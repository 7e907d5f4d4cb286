"""The one task that reads the database, makes the frame and pushes it to all viewers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime

import msgspec
from fastapi.concurrency import run_in_threadpool

from api.broadcast import Broadcast
from api.desk.frame import Fields, Frame, Row, frame_of
from api.desk.reading.alerts import AlertEvent, events_after
from api.desk.shown import day_and_time, milliseconds
from api.desk.state import DeskState, StateReader, market_at
from database.api.pool import DatabasePool
from database.errors import DatabaseError
from trading.risk.limits import RiskLimits

SECONDS = 0.5
"""How often a frame is made: what changes is on every screen within a second."""

NEVER_READ = "Nothing has been read from the database yet."

_LOG = logging.getLogger(__name__)


class Notice(msgspec.Struct, tag_field="kind", tag="alert", frozen=True):
    """An alert as it is pushed.

    Attributes:
        id: Grows with every alert.
        rule: The rule's name.
        subject: What of.
        change: `firing`, `reminder` or `resolved`.
        severity: How much it matters.
        message: One sentence.
        when: When, as people read it.
    """

    id: int
    rule: str
    subject: str
    change: str
    severity: str
    message: str
    when: str


class Pusher:
    """How things stand, looked at once for all viewers and pages.

    Attributes:
        broadcast: The viewers.
    """

    def __init__(
        self, database: DatabasePool, limits: RiskLimits, now: Callable[[], datetime]
    ) -> None:
        self.broadcast = Broadcast()
        self._database = database
        self._limits = limits
        self._now = now
        self._reader = StateReader()
        self._state = DeskState(at=now(), market=market_at(now()))
        self._texts: tuple[Fields, dict[str, tuple[Row, ...]]] = ({}, {})
        self._problem = NEVER_READ
        self._bus_lost: Callable[[], datetime | None] = lambda: None
        self._seq = 0
        self._looking = asyncio.Lock()

    @property
    def state(self) -> DeskState:
        """How things stood when the database was last read."""
        return self._state

    @property
    def problem(self) -> str:
        """Why that is old; empty when it is not."""
        return self._problem

    @contextlib.asynccontextmanager
    async def running(
        self, bus_lost: Callable[[], datetime | None] = lambda: None
    ) -> AsyncIterator[None]:
        """Look and push for the time of the block.

        Args:
            bus_lost: Tells since when the bus does not answer; None when it does.
        """
        self._bus_lost = bus_lost
        # Before the first look an account that is there would seem to be none.
        await self._look_and_log()
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self.broadcast.drop_all("the desk is shutting down")

    async def look(self) -> Frame:
        """Read the state, push the frame to all viewers, and return it."""
        async with self._looking:
            await self._read()
            self._seq += 1
            frame = self.frame()
            self.broadcast.publish_frame(msgspec.json.encode(frame))
            return frame

    def frame(self) -> Frame:
        """How things stood when the database was last read, as of now."""
        fields, lists = self._texts
        return Frame(
            seq=self._seq,
            at=milliseconds(self._now()),
            problem=self._problem,
            note=_bus_gone(self._state.bus_lost),
            data_at=milliseconds(self._state.at),
            last_alert=self._state.last_alert,
            fields=fields,
            lists=lists,
        )

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            await self._look_and_log()

    async def _look_and_log(self) -> None:
        try:
            await self.look()
        except Exception:  # noqa: BLE001 - a desk that stops pushing would look healthy
            _LOG.exception("The frame could not be made.")
            self._problem = "The figures cannot be computed; see the log of the desk."

    async def _read(self) -> None:
        try:
            state, notices = await run_in_threadpool(self._look_up)
        except DatabaseError as error:
            if not self._problem:
                _LOG.warning("%s", error)
            self._problem = self._gone()
            return
        self._state, self._problem = state, ""
        self._texts = frame_of(state, self._limits)
        for notice in notices:
            self.broadcast.publish_notice(msgspec.json.encode(notice))

    def _look_up(self) -> tuple[DeskState, list[Notice]]:
        known, first = self._state.last_alert, not self._texts[0]
        with self._database.connection() as database:
            state = self._reader.read(database, self._now())
            state = replace(state, bus_lost=self._bus_lost())
            events = [] if first else events_after(database, known)
        return state, [notice_of(event) for event in events]

    def _gone(self) -> str:
        if not self._texts[0]:
            return f"The database does not answer. {NEVER_READ}"
        when = day_and_time(self._state.at)
        return f"The database does not answer: the figures are from {when} New York."


def _bus_gone(since: datetime | None) -> str:
    if since is None:
        return ""
    when = day_and_time(since)
    return f"The bus has not answered since {when} New York: prices, signals and news are that old."


def notice_of(event: AlertEvent) -> Notice:
    """An alert as it is pushed."""
    return Notice(
        event.id,
        event.rule,
        event.subject,
        event.kind,
        event.severity,
        event.message,
        day_and_time(event.at),
    )
