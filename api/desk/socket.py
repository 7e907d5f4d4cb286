"""The socket over which a page hears frames and alerts."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool

from api.broadcast import Viewer, ViewerDroppedError
from api.desk.desk import Desk, DeskOf
from api.desk.pushing import notice_of
from api.desk.reading.alerts import events_after
from database.errors import DatabaseError

router = APIRouter()

TRY_AGAIN = 1013
"""The code of a close after which a page comes back at once."""

MOST_MISSED = 200
"""Missed alerts that a page gets after a reconnect; the alerts page has the rest."""


@router.websocket("/desk/live")
async def live(socket: WebSocket, desk: DeskOf, after: int = 0) -> None:
    """Frames as they are made, and every alert after the last one that the page knows."""
    await socket.accept()
    with desk.pusher.broadcast.viewer() as viewer:
        viewer.offer(msgspec.json.encode(desk.pusher.frame()))
        for notice in await run_in_threadpool(_missed, desk, after):
            viewer.tell(notice)
        sender = asyncio.create_task(_send(socket, viewer))
        try:
            # A page says nothing; this ends when it goes.
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            return
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender


async def _send(socket: WebSocket, viewer: Viewer) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        try:
            while True:
                await socket.send_text((await viewer.next()).decode())
        except ViewerDroppedError as error:
            await socket.close(TRY_AGAIN, str(error))


def _missed(desk: Desk, after: int) -> list[bytes]:
    """The alerts since; none while the database is unavailable, which the frame reports."""
    if after >= desk.pusher.state.last_alert:
        return []
    try:
        with desk.services.database.connection() as database:
            events = events_after(database, after, MOST_MISSED)
    except DatabaseError:
        return []
    return [msgspec.json.encode(notice_of(event)) for event in events]
