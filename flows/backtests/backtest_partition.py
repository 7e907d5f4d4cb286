"""`backtest-partition`: some parameter sets of one account, or one fold of its walk-forward."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from flows.backtests.parameters import (
    AccountAssumptions,
    AccountName,
    AsOf,
    BarInterval,
    End,
    Folds,
    HeldBack,
    MarketInput,
    PortfolioSymbols,
    Start,
    market_url,
)
from flows.bars.layer_parameters import DEFAULT_CONTEXT, ContextSymbols, StrategyName
from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
from flows.boundary.parameters import LakeDir, lake_url
from lake.backtests.account import Account, account
from lake.backtests.dataset import BacktestDataset, WalkForwardDataset, fold_key, set_keys
from lake.backtests.request import HELD_BACK, PORTFOLIO, BacktestKey, BacktestRequest
from lake.errors import EXPECTED
from trading.backtest.assumptions import Assumptions
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.strategies.registry import checked_parameters, strategy_named

LISTED = 20
"""Most failed sets that a run's message names."""

DEFAULTS = Assumptions()
NO_SETS: list[dict[str, Any]] = [{}]

Sets = Annotated[
    list[dict[str, Any]],
    Field(
        min_length=1,
        description="Parameters of the strategy that are not its defaults, set by set.",
        examples=[[{"periods": 7}, {"periods": 14}]],
    ),
]


def _run_name() -> str:
    """What the partition is called, so that people know it from others."""
    given = flow_run.parameters
    strategy = str(given["strategy"])
    with suppress(ParameterError):  # the run itself says that there is none of the name
        strategy = strategy_named(strategy).name
    sets = given.get("sets") or NO_SETS
    part = f"fold {given['fold']}" if given.get("fold") else _sets_text(sets)
    return f"{given['symbol']} {strategy} {given.get('interval', Interval.DAY)} {part}"


def _sets_text(sets: list[dict[str, Any]]) -> str:
    first = " ".join(f"{name}={value}" for name, value in sets[0].items()) or "defaults"
    return first if len(sets) == 1 else f"{first} and {len(sets) - 1} more"


# Its result is the files. To be told so spares its process asking the server where results go.
@flow(name="backtest-partition", flow_run_name=_run_name, persist_result=False)
@domain_errors_fail_run
@documented
async def backtest_partition(
    symbol: AccountName,
    strategy: StrategyName,
    interval: BarInterval = Interval.DAY,
    sets: Sets = NO_SETS,
    portfolio: PortfolioSymbols = None,
    start: Start = None,
    end: End = None,
    assumptions: AccountAssumptions = DEFAULTS,
    held_back: HeldBack = HELD_BACK,
    walk_forward: Folds = None,
    fold: Annotated[
        int | None,
        Field(ge=1, description="The fold to walk; empty: trade every set.", examples=[2]),
    ] = None,
    as_of: AsOf = None,
    context_symbols: ContextSymbols = DEFAULT_CONTEXT,  # type: ignore[assignment]
    lake_dir: LakeDir = None,
    input_dir: MarketInput = None,
) -> int:
    """Trade each set and write its ledger, or walk one fold and write that of what it chose.

    Ends Failed when the strategy raised for one of the sets, after all others have been tried.

    Returns:
        How many files were written.
    """
    chosen = strategy_named(strategy)
    if (symbol == PORTFOLIO) != bool(portfolio):
        raise ParameterError(
            "portfolio", portfolio, f"named exactly where symbol is {PORTFOLIO}",
            "name the symbols of the portfolio, or leave it out",
        )  # fmt: skip
    request = BacktestRequest(
        lake_dir=lake_url(lake_dir),
        strategy=strategy,
        interval=interval,
        sets=tuple(checked_parameters(chosen, one) for one in sets),
        symbols=tuple(portfolio or (symbol,)),
        portfolio=bool(portfolio),
        start=start,
        end=end,
        assumptions=assumptions,
        held_back=held_back,
        folds=walk_forward or 0,
        input_dir=market_url(input_dir),
        as_of=as_of,
        context_symbols=context_symbols,
    )
    if fold is not None:
        key = await asyncio.to_thread(fold_key, request, symbol, fold)
        await asyncio.to_thread(WalkForwardDataset().compute, request, key, str(flow_run.id))
        return 1
    return await _trade_all(request, symbol)


async def _trade_all(request: BacktestRequest, symbol: str) -> int:
    own = await asyncio.to_thread(account, request, symbol)
    keys, failed = set_keys(request, own), dict[str, str]()
    for key in keys:
        if reason := await asyncio.to_thread(_traded, request, own, key):
            failed[key.label] = reason
    get_run_logger().info("Wrote %d of %d sets", len(keys) - len(failed), len(keys))
    if not failed:
        return len(keys)
    lines = [f"{label}: {reason}" for label, reason in failed.items()]
    if len(keys) > 1:
        lines = [f"{len(failed)} of {len(keys)} sets failed.", *lines[:LISTED]]
    raise UnfinishedError("\n".join(lines), len(keys) - len(failed))


def _traded(request: BacktestRequest, own: Account, key: BacktestKey) -> str:
    """Trade one set; why that failed, or nothing."""
    try:
        BacktestDataset().trade(request, own, key, str(flow_run.id))
    except EXPECTED as error:
        return " ".join(str(error).split())
    return ""
