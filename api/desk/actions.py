"""What changes something: the door, the kill switch, resuming."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from api.desk.charting import json_response
from api.desk.desk import DeskOf
from api.desk.rendering import HEADERS, PageRoute, door
from api.envelope import ApiError
from api.security import COOKIE, SESSION_SECONDS, Admin, Trader, session_cookie, verified
from database.orders.risk import halt, resume

pages = APIRouter(route_class=PageRoute)
data = APIRouter()

LOGIN = "/login"

Why = Annotated[str, Form(min_length=1, max_length=200)]


@pages.get(LOGIN)
def ask_for_key(request: Request, to: str = "/") -> Response:
    """The door."""
    return door(request, _inside(to))


@pages.post(LOGIN)
def sign_in(
    request: Request,
    desk: DeskOf,
    key: Annotated[str, Form(max_length=200)],
    to: Annotated[str, Form(max_length=500)] = "/",
) -> Response:
    """Let in who has a key that counts, for half a day."""
    found = verified(key.strip(), desk.services)
    if found is None:
        problem = "That key does not count; check it, or make a new one."
        return door(request, _inside(to), problem, 401)
    answer = RedirectResponse(_inside(to), 303, HEADERS)
    answer.set_cookie(
        COOKIE,
        session_cookie(found),
        SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@pages.post("/logout")
def sign_out() -> Response:
    """Forget who this was."""
    answer = RedirectResponse(LOGIN, 303, HEADERS)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


@data.post("/desk/kill")
async def kill(
    desk: DeskOf,
    caller: Trader,
    *,
    account: Annotated[str, Form()],
    confirm: Annotated[str, Form()],
    why: Why,
    close: Annotated[str, Form()] = "",
) -> Response:
    """Latch a halt: no order leaves any more, and the executor cancels what works.

    Raises:
        ApiError: The account was not named again.
        ParameterError: There is no such account.
    """
    _check_named(account, confirm)

    def latch() -> None:
        with desk.services.database.connection() as database:
            halt(database, account, who=caller.name, why=why, closes_positions=close == "yes")

    await run_in_threadpool(latch)
    await desk.pusher.look()
    return json_response({"account": account})


@data.post("/desk/resume")
async def let_trade(
    desk: DeskOf,
    caller: Admin,
    account: Annotated[str, Form()],
    confirm: Annotated[str, Form()],
    why: Why,
) -> Response:
    """Let a halted account trade again.

    Raises:
        ApiError: The account was not named again.
        ParameterError: There is no such account, or it is not halted, or still halting.
    """
    _check_named(account, confirm)

    def release() -> None:
        with desk.services.database.connection() as database:
            resume(database, account, who=caller.name, why=why)

    await run_in_threadpool(release)
    await desk.pusher.look()
    return json_response({"account": account})


def _check_named(account: str, confirm: str) -> None:
    if confirm != account:
        raise ApiError(
            422, "not_confirmed", f"Type {account} to confirm; nothing has been changed."
        )


def _inside(to: str) -> str:
    """A path of the desk; anything else could lead to another site."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"
