"""Strategies: what they say now, and what they came to in backtests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from fastapi import APIRouter, Request, Response

from api.desk.backtests import heat_of, sweeps, tested_strategies, walked_folds
from api.desk.desk import DeskOf
from api.desk.pages.portfolio import attributed
from api.desk.reading.signals import SignalRow, latest_signals
from api.desk.rendering import PageRoute, page
from api.envelope import ApiError
from trading.strategies.registry import BUILT_IN

pages = APIRouter(route_class=PageRoute)

SINCE = timedelta(days=7)
_SWEEPS, _SETS, _FOLDS = 6, 12, 60


@dataclass(frozen=True, slots=True)
class StrategyRow:
    """A strategy, and what it does now.

    Attributes:
        name: Its name.
        says: The last word on each symbol.
        counts: How many symbols each target has.
        earned: What its orders have earned in the account, in dollars; None for no order.
        tested: How many intervals have backtests.
    """

    name: str
    says: tuple[SignalRow, ...]
    counts: dict[str, int]
    earned: Decimal | None
    tested: int


@pages.get("/strategies")
def strategies(request: Request, desk: DeskOf) -> Response:
    """All strategies."""
    one = desk.pusher.state.account(request.query_params.get("account"))
    with desk.services.database.connection() as database:
        said = latest_signals(database, desk.settings.now() - SINCE)
        parts = [] if one is None else attributed(database, one.account.id, one.books)
    tested = tested_strategies(desk.services.lake_dir)
    earned: dict[str, Decimal] = {}
    for part in parts:
        earned[part.strategy] = earned.get(part.strategy, Decimal(0)) + part.parts["total"]
    names = sorted({*BUILT_IN, *tested, *earned, *(signal.strategy for signal in said)})
    rows = [_row(name, said, earned.get(name), tested.get(name, 0)) for name in names]
    rows.sort(key=lambda row: (not row.says, -row.tested, row.name))
    return page(request, desk, "strategies.html", "Strategies", strategies=rows)


@pages.get("/strategies/{name}")
def strategy(request: Request, desk: DeskOf, name: str) -> Response:
    """The backtests of one strategy, in sample and out of it.

    Raises:
        ApiError: There is neither a strategy of that name nor a backtest of it.
    """
    with desk.services.database.connection() as database:
        said = latest_signals(database, desk.settings.now() - SINCE)
    own = [signal for signal in said if signal.strategy == name]
    if name not in {*BUILT_IN, *tested_strategies(desk.services.lake_dir)} and not own:
        raise ApiError(404, "not_found", "There is no strategy of that name.")
    found = sweeps(desk.services.lake_dir, name)
    return page(
        request,
        desk,
        "strategy.html",
        "Strategies",
        title=name,
        strategy=name,
        said=sorted(own, key=lambda signal: (signal.interval, signal.symbol)),
        sweeps=[(sweep, heat_of(sweep)) for sweep in found[:_SWEEPS]],
        sweep_count=len(found),
        most_sets=_SETS,
        folds=walked_folds(desk.services.lake_dir, name)[:_FOLDS],
    )


def _row(name: str, said: list[SignalRow], earned: Decimal | None, tested: int) -> StrategyRow:
    own = tuple(signal for signal in said if signal.strategy == name)
    counts = Counter(_target(signal) for signal in own)
    return StrategyRow(name, own, dict(counts), earned, tested)


def _target(signal: SignalRow) -> str:
    if signal.target is None:
        return signal.signal
    return "long" if signal.target > 0 else "short" if signal.target < 0 else "flat"
