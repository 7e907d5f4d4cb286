"""What changes something: who may, what has to be confirmed, what is written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.security import COOKIE
from database.api.keys import create_key
from database.connection import Database
from tests.api.desk.application import Application
from tests.api.desk.conftest import SETTINGS
from tests.api.desk.seed import ACCOUNT

KILL = {"account": ACCOUNT, "confirm": ACCOUNT, "why": "prices look wrong", "close": "yes"}


@pytest.fixture
async def guarded(desk_url: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with Application.running(
        desk_url, str(tmp_path), SETTINGS, keys_needed=True
    ) as application:
        yield application


async def sign_in(application: Application, key: str, to: str = "/") -> int:
    answer = await application.client.post("/login", data={"key": key, "to": to})
    return answer.status_code


def risk(database: Database) -> tuple[object, ...]:
    row = database.rows.execute(
        "SELECT state, is_closing, closes_positions, reason FROM risk_state"
    ).fetchone()
    assert row is not None
    return row


async def test_the_kill_switch_latches_and_is_audited_and_shown(
    application: Application, database: Database
) -> None:
    answer = await application.client.post("/desk/kill", data=KILL)
    assert answer.status_code == 200, answer.text
    assert risk(database) == ("HALTED", True, True, "prices look wrong")
    row = database.rows.execute(
        "SELECT who, action, subject FROM audit ORDER BY id DESC"
    ).fetchone()
    assert row == ("local", "kill", ACCOUNT)
    page = await application.page("/")
    assert "Halting: prices look wrong" in page
    assert 'data-open="resume-dialog" disabled' in page
    early = await application.client.post("/desk/resume", data=KILL)
    assert early.status_code == 422
    assert "still being cancelled" in early.json()["error"]["message"]
    database.rows.execute("UPDATE risk_state SET is_closing = false")
    done = await application.client.post("/desk/resume", data=KILL)
    assert done.status_code == 200
    assert risk(database)[0] == "ACTIVE"


@pytest.mark.parametrize(
    "change", [{"confirm": "paper"}, {"why": ""}, {"account": "other", "confirm": "other"}]
)
async def test_nothing_stops_without_the_accounts_name_and_a_reason(
    application: Application, database: Database, change: dict[str, str]
) -> None:
    answer = await application.client.post("/desk/kill", data=KILL | change)
    assert answer.status_code == 422
    assert risk(database)[0] == "ACTIVE"


async def test_another_sites_page_stops_nothing(
    application: Application, database: Database
) -> None:
    for path in ("/desk/kill", "/desk/redo", "/settings", "/login"):
        answer = await application.client.post(
            path, data=KILL, headers={"Origin": "https://evil.example"}
        )
        assert answer.status_code == 403
    assert risk(database)[0] == "ACTIVE"


async def test_who_has_no_key_is_shown_the_door(guarded: Application) -> None:
    answer = await guarded.client.get("/portfolio")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?to=%2Fportfolio")
    for path in ("/desk/equity?account=x", "/desk/bars?symbol=AAPL&interval=5m"):
        assert (await guarded.client.get(path)).status_code == 401
    assert await sign_in(guarded, "tk_wrong_key") == 401
    assert (await guarded.client.get("/")).status_code == 303


async def test_a_key_opens_the_door_until_it_is_revoked(
    guarded: Application, database: Database
) -> None:
    key = create_key(database, "mara", "trader", "test")
    answer = await guarded.client.post("/login", data={"key": key, "to": "//evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert key not in cookie
    assert "Kill switch" in await guarded.page("/")
    database.rows.execute("UPDATE api_key SET revoked_at = now()")
    assert (await guarded.client.get("/")).status_code == 303


async def test_a_reader_looks_and_changes_nothing(guarded: Application, database: Database) -> None:
    assert await sign_in(guarded, create_key(database, "eve", "reader", "test")) == 303
    assert "Kill switch" not in await guarded.page("/")
    for path in ("/desk/kill", "/desk/resume", "/desk/redo"):
        answer = await guarded.client.post(path, data=KILL | {"layer": "silver", "file": "x"})
        assert answer.status_code == 403
    assert risk(database)[0] == "ACTIVE"


async def test_signing_out_ends_the_session(guarded: Application, database: Database) -> None:
    await sign_in(guarded, create_key(database, "mara", "admin", "test"))
    await guarded.page("/")
    await guarded.client.post("/logout")
    assert (await guarded.client.get("/")).status_code == 303
