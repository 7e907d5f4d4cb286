"""Frames and alerts over a real socket: what changes comes, and no alert is lost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from database.connection import Database
from tests.api.desk.seed import ACCOUNT, NOW
from tests.api.desk.server import desk_server

PATIENCE = 30


async def heard(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    async with asyncio.timeout(PATIENCE):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["kind"] == kind:
                return message


def say_alert(database: Database, name: str) -> None:
    database.rows.execute(
        "INSERT INTO alert_event (rule, subject, kind, severity, message, at, identity) "
        "VALUES ('nvda-below', 'NVDA', 'reminder', 'warning', %s, %s, %s)",
        [name, NOW, name],
    )


async def test_a_change_in_the_database_comes_to_a_viewer(
    desk_url: str, database: Database, tmp_path: Path
) -> None:
    with desk_server(desk_url, str(tmp_path)) as address:
        async with connect(f"{address.replace('http', 'ws')}/desk/live?after=99") as socket:
            first = await heard(socket, "frame")
            while not first["fields"]:
                first = await heard(socket, "frame")
            database.rows.execute(
                "INSERT INTO equity SELECT account_id, at + interval '1 second', 123456.78, cash, "
                "deposits, realized, unrealized, fees, gross, drawdown FROM equity "
                "ORDER BY at DESC LIMIT 1"
            )
            frame = first
            while frame["fields"][f"{ACCOUNT}/equity"][0] != "$123,456.78":
                after = await heard(socket, "frame")
                assert after["seq"] > frame["seq"]
                frame = after


async def test_a_viewer_that_was_away_is_told_every_alert_once_and_in_order(
    desk_url: str, database: Database, tmp_path: Path
) -> None:
    with desk_server(desk_url, str(tmp_path)) as address:
        live = f"{address.replace('http', 'ws')}/desk/live"
        async with connect(f"{live}?after=4") as socket:
            frame = await heard(socket, "frame")
            while frame["last_alert"] != 4:
                frame = await heard(socket, "frame")
            say_alert(database, "while here")
            alert = await heard(socket, "alert")
            assert (alert["id"], alert["message"]) == (5, "while here")
        for i in range(3):
            say_alert(database, f"while away {i}")
        await _until_known(live, 8)
        async with connect(f"{live}?after=5") as socket:
            ids = [(await heard(socket, "alert"))["id"] for _ in range(3)]
            say_alert(database, "back again")
            ids.append((await heard(socket, "alert"))["id"])
        assert ids == [6, 7, 8, 9]


async def _until_known(live: str, last: int) -> None:
    async with connect(f"{live}?after=99") as socket:
        while (await heard(socket, "frame"))["last_alert"] < last:
            pass


@pytest.mark.parametrize(("keys_needed", "origin"), [(True, None), (False, "https://evil.example")])
async def test_a_socket_without_a_key_or_of_another_site_is_refused_before_it_opens(
    desk_url: str, tmp_path: Path, *, keys_needed: bool, origin: str | None
) -> None:
    with desk_server(desk_url, str(tmp_path), keys_needed=keys_needed) as address:
        with pytest.raises(InvalidStatus) as refusal:
            async with connect(f"{address.replace('http', 'ws')}/desk/live", origin=origin):  # type: ignore[arg-type]
                pass
        assert refusal.value.response.status_code == 403
