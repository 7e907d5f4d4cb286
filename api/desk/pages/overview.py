"""The overview: how things stand, and equity over time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from fastapi import APIRouter, Request, Response

from api.desk.charting import chart_times, json_response, plain
from api.desk.desk import Desk, DeskOf
from api.desk.reading.accounts import worth_series
from api.desk.reading.prices import closes_until
from api.desk.rendering import PageRoute, page
from api.envelope import ApiError
from trading.arrays import Floats, Timestamps

pages = APIRouter(route_class=PageRoute)
data = APIRouter()

Range = Literal["1d", "1w", "1m", "all"]
_SPANS = {"1d": timedelta(days=1), "1w": timedelta(weeks=1), "1m": timedelta(days=31)}
_FIRST = timedelta(days=366 * 30)


@pages.get("/")
def overview(request: Request, desk: DeskOf) -> Response:
    """How things stand."""
    state = desk.pusher.state
    one = state.account(request.query_params.get("account"))
    orders = () if one is None else one.open_orders
    return page(request, desk, "overview.html", "Overview", open_orders=orders, firing=state.firing)


@data.get("/desk/equity")
def equity(desk: DeskOf, account: str, range: Range = "1w") -> Response:  # noqa: A002 - the address
    """An account's worth over time, with its drawdown and its benchmark.

    Raises:
        ApiError: There is no such account.
    """
    if desk.pusher.state.account(account) is None:
        raise ApiError(404, "not_found", "There is no account of that name.")
    now = desk.settings.now()
    since = now - _SPANS.get(range, _FIRST)
    with desk.services.database.connection() as database:
        series = worth_series(database, account, since)
    times, kept = chart_times(series.timestamps)
    benchmark = _benchmark(desk, series.timestamps, series.equity, series.deposits, now)
    return json_response(
        {
            "times": times,
            "equity": plain(series.equity[kept]),
            "drawdown": plain(series.drawdown[kept]),
            "benchmark": None if benchmark is None else plain(benchmark[kept]),
            "benchmark_name": f"the same money in {desk.settings.benchmark}",
        }
    )


def _benchmark(
    desk: Desk, stamps: Timestamps, worth: Floats, deposits: Floats, now: datetime
) -> Floats | None:
    """What the first point's worth would be in the benchmark, with later deposits put there too."""
    if not len(stamps):
        return None
    with desk.services.database.connection() as database:
        known_at, closes = closes_until(database, desk.settings.benchmark, stamps[0], now)
    rows = np.searchsorted(known_at, stamps, side="right") - 1
    if not len(closes) or rows[0] < 0:
        return None
    prices = closes[rows]
    paid = np.diff(deposits, prepend=deposits[:1])
    shares = np.cumsum(np.where(np.arange(len(paid)) == 0, worth, paid) / prices)
    grown: Floats = shares * prices
    return grown
