"""Risk: the state of accounts, the kill switch, and who did what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, Field

from api.envelope import Answer, Answered, ApiError, answer
from api.parameters import DEFAULT_ROWS, Cursor, Limit
from api.repeats import Body, IdempotencyKey, once
from api.routes.books import Account
from api.routes.listing import listed, page_of
from api.security import Admin, Trader
from database.api.listed import ACCOUNTS, AUDIT
from database.connection import Database
from database.orders.risk import StoredRisk, halt, read_risk, resume

router = APIRouter(prefix="/v1", tags=["risk"])

AccountName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$",
        description="The account's name.",
        examples=["paper-main"],
    ),
]
Why = Annotated[
    str,
    Field(
        min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$", description="The reason.",
        examples=["The feed is wrong."],
    ),
]  # fmt: skip


class Risk(Answered):
    """What an account may do.

    Attributes:
        account: The account.
        state: `ACTIVE`, `REDUCING` or `HALTED`; `HALTING` while orders are still being cancelled
            or positions closed.
        reason: Why it is not active.
        since: Since when.
        closes_positions: Whether the halt also closes all positions.
    """

    account: str
    state: str
    reason: str
    since: AwareDatetime
    closes_positions: bool


class Kill(Body):
    """Stop an account's trading."""

    account: AccountName
    confirm: AccountName = Field(description="The account's name, to confirm.")
    why: Why
    close_positions: bool = Field(
        default=False, strict=True, description="Whether to close all positions, too."
    )


class Resume(Body):
    """Let an account trade again."""

    account: AccountName
    confirm: AccountName = Field(description="The account's name, to confirm.")
    why: Why


class Deed(Answered):
    """Who did what.

    Attributes:
        id: Its number.
        at: When.
        who: A key's name, a person, or the process that acted by itself.
        action: What.
        subject: To what.
        why: The reason given.
        detail: More.
    """

    id: int
    at: AwareDatetime
    who: str
    action: str
    subject: str
    why: str
    detail: dict[str, Any]


@router.get("/risk", summary="Risk state of accounts", response_model=Answer[list[Risk]])
def risk(request: Request, account: Account = None) -> Response:
    """The state of each account; HALTED only when it is true of the broker, too."""
    found = page_of(request, ACCOUNTS, {"account": account}, cursor=None, limit=100).rows
    data = [_shown(row) for row in found if row["state"] is not None]
    return answer(request, data)


@router.post("/risk/kill", summary="Kill switch", response_model=Answer[Risk], status_code=202)
def kill(request: Request, caller: Trader, body: Kill, idempotency_key: IdempotencyKey) -> Response:
    """Halt an account: durable at once; the executor cancels, closes if asked to, and verifies."""
    _check_confirmed(body.account, body.confirm)

    def do(database: Database) -> Risk:
        read_risk(database, body.account)
        stored = halt(
            database, body.account, who=caller.name, why=body.why,
            closes_positions=body.close_positions,
        )  # fmt: skip
        return _risk(body.account, stored)

    return once(request, caller, idempotency_key, body, do, status=202)


@router.post("/risk/resume", summary="Resume trading", response_model=Answer[Risk])
def resume_trading(
    request: Request, caller: Admin, body: Resume, idempotency_key: IdempotencyKey
) -> Response:
    """Let a halted account trade again; its drawdown counts from here."""
    _check_confirmed(body.account, body.confirm)

    def do(database: Database) -> Risk:
        return _risk(body.account, resume(database, body.account, who=caller.name, why=body.why))

    return once(request, caller, idempotency_key, body, do)


@router.get("/audit", summary="Audit log", response_model=Answer[list[Deed]])
def deeds(
    request: Request,
    caller: Admin,  # noqa: ARG001 - only admins
    *,
    who: Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00]+$")] = None,
    action: Annotated[str | None, Query(max_length=64, pattern=r"^[a-z ]+$")] = None,
    limit: Limit = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Response:
    """Every change by a person, a key or a process, the newest first."""
    return listed(request, AUDIT, {"who": who, "action": action}, cursor=cursor, limit=limit)


def _check_confirmed(account: str, confirm: str) -> None:
    if account != confirm:
        raise ApiError(
            422,
            "not_confirmed",
            f"confirm={confirm!r} is not the account {account!r}; repeat its name.",
        )


def _risk(account: str, stored: StoredRisk) -> Risk:
    return Risk(
        account=account,
        state=stored.shown,
        reason=stored.memory.reason,
        since=stored.since,
        closes_positions=stored.closes_positions,
    )


def _shown(row: dict[str, Any]) -> Risk:
    return Risk(
        account=row["id"],
        state="HALTING" if row["is_closing"] else row["state"],
        reason=row["reason"],
        since=row["since"],
        closes_positions=row["closes_positions"],
    )
