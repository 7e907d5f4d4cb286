"""Pages: templates filled, with the headers that keep anything foreign out."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import jinja2
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from api.desk import shown
from api.desk.assets import assets
from api.desk.desk import Desk
from api.desk.reading.accounts import Account
from api.envelope import ApiError
from api.errors import as_api_error
from api.security import COOKIE, Caller

PAGES = (
    ("Overview", "/"),
    ("Symbols", "/symbols"),
    ("Portfolio", "/portfolio"),
    ("Strategies", "/strategies"),
    ("Pipeline", "/pipeline"),
    ("Alerts", "/alerts"),
    ("News", "/news"),
    ("Settings", "/settings"),
)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

LOOK_COOKIE = "trading_look"
THEMES, PALETTES = ("auto", "dark", "light"), ("green-red", "blue-orange")


class Look(NamedTuple):
    """How a viewer wants pages: a theme and a palette."""

    theme: str = THEMES[0]
    palette: str = PALETTES[0]


def look_of(request: Request) -> Look:
    """What the viewer's cookie says, where it says something allowed."""
    theme, _, palette = request.cookies.get(LOOK_COOKIE, "").partition(".")
    return Look(
        theme if theme in THEMES else THEMES[0], palette if palette in PALETTES else PALETTES[0]
    )


@cache
def _templates() -> jinja2.Environment:
    """Templates with the desk's way of writing numbers."""
    made = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    )
    for name in (
        "money", "signed_money", "price", "percent", "signed_percent", "quantity", "ratio",
        "large", "clock", "day_and_time", "age",
    ):  # fmt: skip
        made.filters[name] = getattr(shown, name)
    made.filters |= {"tone": shown.tone_of, "web": _web_address}
    made.globals["asset"] = assets().url
    return made


def chosen_account(request: Request, desk: Desk) -> Account | None:
    """The account of the request's address, or the first; None when there is none.

    Raises:
        ApiError: There is none of that name.
    """
    named = request.query_params.get("account")
    found = desk.pusher.state.account(named)
    if found is None and named is not None:
        raise ApiError(404, "not_found", "There is no account of that name; leave account out.")
    return None if found is None else found.account


def page(
    request: Request, desk: Desk, template: str, name: str, status: int = 200, **content: object
) -> Response:
    """One page as HTML.

    Args:
        request: Who asks, with which cookies.
        desk: The desk.
        template: The template's file.
        name: Of the entry of the navigation that it belongs to.
        status: The HTTP status.
        content: What the template shows beside what all pages do.
    """
    frame, state = desk.pusher.frame(), desk.pusher.state
    account = chosen_account(request, desk) if status == 200 else None  # noqa: PLR2004
    caller: Caller | None = getattr(request.state, "caller", None)
    text = (
        _templates()
        .get_template(template)
        .render(
            {
                "title": name,
                "page": name,
                "pages": PAGES,
                "look": look_of(request),
                "frame": frame,
                "age_of": lambda at: shown.age((frame.at - at) / 1000),
                "accounts": [one.account for one in state.accounts],
                "account": account,
                "link": _linker(request),
                "can_resume": caller is not None and caller.may("admin"),
                "can_trade": caller is not None and caller.may("trader"),
                "signed_in": COOKIE in request.cookies,
                **content,
            }
        )
    )
    return HTMLResponse(text, status, HEADERS)


def door(request: Request, to: str, problem: str = "", status: int = 200) -> Response:
    """The page where a key is asked for."""
    text = (
        _templates()
        .get_template("login.html")
        .render(look=look_of(request), to=to, problem=problem)
    )
    return HTMLResponse(text, status, HEADERS)


class PageRoute(APIRoute):
    """A route whose failures are pages; who has no key is shown the door."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with failures turned into pages."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:
                found = as_api_error(error)
                if found.status >= 500 and not _is_expected(found):  # noqa: PLR2004
                    raise
                return _problem(request, found)

        return handled


def _is_expected(error: ApiError) -> bool:
    return error.status == 503  # noqa: PLR2004 - a service is gone


def _problem(request: Request, error: ApiError) -> Response:
    if error.status == 401:  # noqa: PLR2004
        to = request.url.path if request.method == "GET" else "/"
        return RedirectResponse(f"/login?{urlencode({'to': to})}", 303, HEADERS)
    desk: Desk = request.app.state.desk
    title = "Not now" if _is_expected(error) else "Not found"
    answer = page(
        request, desk, "problem.html", "Problem", error.status, title=title, problem=error.message
    )
    answer.headers.update(error.headers)
    return answer


def _linker(request: Request) -> Callable[[str], str]:
    """Addresses of the desk that keep the account which the viewer chose."""
    named = request.query_params.get("account")
    if named is None:
        return lambda path: path
    word = f"account={quote(named, safe='')}"
    return lambda path: f"{path}{'&' if '?' in path else '?'}{word}"


def _web_address(url: str) -> str:
    """An article's address, when it is one of the web: anything else could run as a script."""
    return url if urlsplit(url).scheme in {"http", "https"} else "#"
