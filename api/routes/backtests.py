"""Backtests: what the lake has of them, and running new ones."""

from __future__ import annotations

import itertools
from datetime import UTC
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, Field

from api.backtests import CoursePoint, TradeRow, course_points, trade_rows
from api.envelope import Answer, Answered, ApiError, answer
from api.parameters import (
    DEFAULT_ROWS,
    MOST_ROWS,
    Cursor,
    Limit,
    Name,
    cursor_of,
    place_of,
    services_of,
)
from api.prefect_runs import Run
from api.repeats import Body, IdempotencyKey
from api.routes.books import Amount
from api.routes.runs import started
from api.security import Trader
from lake.backtests.contents import read_ledger
from lake.backtests.course import stored_course
from lake.backtests.stored import (
    ACCOUNT_PATTERN,
    StoredBacktest,
    dataset_of,
    id_of,
    key_of,
    read_stored,
    stored_keys,
)
from storage.directory import open_directory
from storage.errors import ContentError
from trading.bars.intervals import Interval
from trading.errors import ParameterError, TradingError
from trading.instruments.clock import to_datetime
from trading.instruments.symbols import Contract

router = APIRouter(prefix="/v1", tags=["backtests"])

DEPLOYMENT = "backtest/backtest"

MOST_POINTS = 10_000

CHANGED = (
    "The lake no longer has the bars that this result was computed from; run the backtest again to "
    "have its equity."
)

Kind = Literal["backtest", "walk-forward"]

ResultId = Annotated[
    str,
    Path(
        pattern=r"^[a-zA-Z0-9_.^=:-]{1,200}$",
        description="Its id, as the listing has it.",
        examples=["backtest:rsi_reversion:5m:AAPL:5f0c6d1b8a9e4c775f0c6d1b8a9e4c77"],
    ),
]


class Performance(Answered):
    """Metrics of a stretch of bars; rates are fractions of 1, null where not defined.

    Attributes:
        total_return: Compounded return of the stretch.
        cagr: Compound growth per year.
        volatility: Standard deviation of the returns per year.
        sharpe: Mean over standard deviation, per year; the risk-free rate is 0.
        sortino: Mean over downside deviation, per year.
        max_drawdown: Deepest fall from a peak, at most 0.
        max_drawdown_bars: Bars from that peak until it was reached again, or to the end.
        calmar: `cagr` over the size of `max_drawdown`.
        value_at_risk: The 5 % quantile of a bar's return.
        conditional_value_at_risk: Mean of the returns up to that quantile.
        omega: Sum of the gains over the sum of the losses.
        tail_ratio: Size of the 95 % quantile over that of the 5 % quantile.
        exposure: Share of bars at whose close a position is open.
        turnover: Mean share of the equity traded in a bar, one way.
        trades: Positions that ended.
        win_rate: Share of them that earned something after fees.
        profit_factor: What winners earned over what losers lost.
        expectancy: Mean of what they earned, in dollars.
    """

    total_return: float | None
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float | None
    max_drawdown_bars: int
    calmar: float | None
    value_at_risk: float | None
    conditional_value_at_risk: float | None
    omega: float | None
    tail_ratio: float | None
    exposure: float | None
    turnover: float | None
    trades: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None


class Backtest(Answered):
    """One stored result: a parameter set or a walk-forward fold on one account.

    Attributes:
        id: Names it.
        dataset: `backtest` of a set, `walk-forward` of a fold.
        strategy: The strategy.
        strategy_version: Its version then.
        interval: Length of a bar.
        account: The symbol, or `portfolio` where one account trades several.
        symbols: What the account trades.
        parameters: The set; of a fold the one that was chosen in training.
        name: The parameters that are not the defaults.
        fold: The fold's number from 1; null of a set.
        first: First bar of the window, of a fold of its training.
        split: First bar that was held back, of a fold the first that was traded.
        last: Last bar.
        assumptions: Capital, costs and how signals became orders.
        metrics: Of a set `whole`, `in_sample` and `out_of_sample`; of a fold `trained` and
            `traded`.
        final_equity: Dollars at the end.
        fees: All fees in dollars.
        fills: How many there were.
        fingerprint: Hash of all that it was computed from.
        flow_run_id: The flow run that computed it; null outside of one.
        computed_at: When it was stored.
    """

    id: str
    dataset: Kind
    strategy: str
    strategy_version: str
    interval: str
    account: str
    symbols: list[str]
    parameters: dict[str, Any]
    name: str
    fold: int | None
    first: AwareDatetime
    split: AwareDatetime
    last: AwareDatetime
    assumptions: dict[str, Any]
    metrics: dict[str, Performance]
    final_equity: Amount
    fees: Amount
    fills: int
    fingerprint: str
    flow_run_id: str | None
    computed_at: AwareDatetime


class BacktestInFull(Answered):
    """A result with how its account went; of a fold in the part that was traded.

    Attributes:
        result: The result.
        equity: The account over time; null when it can no longer be told.
        trades: The last positions that ended, the newest first.
        trade_count: How many there are of all.
    """

    result: Backtest
    equity: list[CoursePoint] | None
    trades: list[TradeRow]
    trade_count: int


class NewBacktest(Body):
    """Backtests to run: each parameter set on each symbol."""

    strategy: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,63}$", description="A strategy.", examples=["vegas_channel"]
    )
    symbols: tuple[Contract, ...] = Field(
        min_length=1, max_length=500, description="On which symbols.", examples=[["AAPL", "MSFT"]]
    )
    interval: Interval = Field(Interval.DAY, description="Length of a bar.")
    start: str | None = Field(
        None, max_length=40, description="First day.", examples=["2020-01-02"]
    )
    end: str | None = Field(None, max_length=40, description="Last day.", examples=["2024-12-31"])
    portfolio: bool = Field(default=False, strict=True, description="All symbols on one account.")
    grid: dict[str, list[Any]] | None = Field(
        None,
        max_length=20,
        description="Values by parameter.",
        examples=[{"lost_window": [10, 20]}],
    )
    sample: int | None = Field(
        None, ge=1, le=10_000, strict=True, description="So many random sets instead."
    )
    seed: int = Field(0, ge=0, le=2**31, strict=True, description="Of the random sets.")
    walk_forward: int | None = Field(
        None, ge=2, le=50, strict=True, description="Folds: chosen in one, traded in the next."
    )


@router.get("/backtests", summary="Results of backtests", response_model=Answer[list[Backtest]])
def backtests(
    request: Request,
    *,
    dataset: Annotated[Kind | None, Query(description="Only sets, or only folds.")] = None,
    strategy: Name = None,
    interval: Annotated[Interval | None, Query(description="Only on bars of this length.")] = None,
    account: Annotated[
        str | None,
        Query(
            pattern=ACCOUNT_PATTERN,
            max_length=32,
            description="Only of this symbol, or of `portfolio`.",
        ),
    ] = None,
    limit: Limit = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Response:
    """What the lake has, in the order of the ids: dataset, strategy, interval, account."""
    lake = open_directory(services_of(request).lake_dir, "lake_dir")
    place = place_of(cursor, str)
    after = None if place is None else key_of(place)
    if place is not None and after is None:
        raise ParameterError(
            "cursor", cursor, "a cursor of this listing", "pass meta.next of the page before"
        )
    keys = list(
        itertools.islice(
            stored_keys(
                lake, dataset=dataset, strategy=strategy, interval=interval, account=account,
                after=after,
            ),
            limit + 1,
        )
    )  # fmt: skip
    identities = {key.relative_path: (key, identity) for key, identity in keys[:limit]}

    def look(name: str) -> dict[str, Any] | None:
        try:
            return _row(read_stored(lake, *identities[name]))
        except ContentError:
            return None  # counts as absent, as when work is planned

    rows = [row for row in lake.map(look, list(identities)) if row is not None]
    more = cursor_of(id_of(keys[limit - 1][0])) if len(keys) > limit else None
    return answer(request, rows, next_cursor=more)


@router.get(
    "/backtests/{result}", summary="One result in full", response_model=Answer[BacktestInFull]
)
def one_backtest(
    request: Request,
    result: ResultId,
    *,
    points: Annotated[
        int, Query(ge=1, le=MOST_POINTS, description="At most so many of the equity.")
    ] = 1_000,
    trades: Annotated[int, Query(ge=0, le=MOST_ROWS, description="At most so many.")] = MOST_ROWS,
) -> Response:
    """A result with its equity and its trades.

    A result keeps what its account did. The equity is folded from that and the bars of silver. It
    is given only when it comes to the stored metrics; `meta.stale` says when the bars have changed.
    """
    lake_dir = services_of(request).lake_dir
    key = key_of(result)
    try:
        if key is None:
            raise _unknown(result)
        lake = open_directory(lake_dir, "lake_dir")
        stored = read_stored(lake, key)
        ledger = read_ledger(lake, key, dataset_of(key))
    except ContentError:
        raise _unknown(result) from None
    equity = stale = None
    try:
        equity = course_points(stored_course(lake_dir, stored, ledger), points)
    except (TradingError, ContentError):  # a lake that does not answer has not changed
        stale = CHANGED
    rows, count = trade_rows(ledger, trades)
    data = {"result": _row(stored), "equity": equity, "trades": rows, "trade_count": count}
    return answer(request, data, stale=stale)


@router.post("/backtests", summary="Run backtests", response_model=Answer[Run], status_code=202)
def start_backtest(
    request: Request, caller: Trader, body: NewBacktest, idempotency_key: IdempotencyKey
) -> Response:
    """Run backtests; `/v1/runs/{run_id}` shows their progress."""
    parameters = body.model_dump(mode="json", exclude_none=True)
    return started(
        request, caller, idempotency_key, body, deployment=DEPLOYMENT, parameters=parameters
    )


def _unknown(result: str) -> ApiError:
    return ApiError(404, "unknown_backtest", f"There is no backtest {result}; see /v1/backtests.")


def _row(stored: StoredBacktest) -> dict[str, Any]:
    return {
        "id": id_of(stored.key),
        "dataset": stored.dataset,
        "strategy": stored.strategy,
        "strategy_version": stored.strategy_version,
        "interval": stored.interval,
        "account": stored.key.symbol,
        "symbols": stored.symbols,
        "parameters": stored.parameters,
        "name": stored.name,
        "fold": stored.fold,
        "first": to_datetime(stored.first, UTC),
        "split": to_datetime(stored.split, UTC),
        "last": to_datetime(stored.last, UTC),
        "assumptions": stored.assumptions,
        "metrics": stored.metrics,
        "final_equity": stored.final_equity,
        "fees": stored.fees,
        "fills": stored.fills,
        "fingerprint": stored.key.fingerprint,
        "flow_run_id": stored.flow_run_id or None,
        "computed_at": stored.written_at,
    }
