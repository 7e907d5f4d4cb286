"""`end-of-day`: a session's bars to signals, into the database, books compared, day reported."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.bars.layer_parameters import DEFAULT_INTERVALS, BarIntervals, StrategyName, Symbols
from flows.bars.medallion import DEFAULT_STRATEGIES
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.settings import settings
from flows.deploy.deployments import (
    BRONZE,
    CHECK_BARS,
    DAILY_SUMMARY,
    LOAD_DATABASE,
    MEDALLION,
    PERFORMANCE_REPORT,
    RECONCILE_ORDERS,
    UPDATE_POSITIONS,
)
from flows.operations.timed import At, Step, StepOutcome, ended, meant_for, run_steps
from flows.operations.watched import watched_symbols
from trading.instruments.clock import NEW_YORK
from trading.instruments.market_hours import why_not_ended

LOOK_BACK = timedelta(days=7)
"""How far back late bars and corrections are asked for; what is settled is skipped."""


@flow(name="end-of-day", flow_run_name="end-of-day")
@domain_errors_fail_run
@documented
async def end_of_day(
    symbols: Symbols = None,
    at: At = None,
    strategies: Annotated[
        list[StrategyName],
        Field(min_length=1, description="Strategies of gold.", examples=[["vegas_channel"]]),
    ] = DEFAULT_STRATEGIES,
    intervals: BarIntervals = DEFAULT_INTERVALS,
) -> list[StepOutcome] | State[Any]:
    """Bring everything up to date after the close: bronze, silver, gold, checks, database, books.

    On a day without a session it ends Completed with the message "market closed". Ends Failed when
    a step did, after all others have been tried.
    """
    moment = meant_for(at)
    if reason := why_not_ended(moment):
        return Completed(message=reason)
    chosen = await asyncio.to_thread(watched_symbols, symbols)
    day = moment.astimezone(NEW_YORK).date()
    steps = steps_of(chosen, day, strategies, [interval.value for interval in intervals])
    return await ended("End of day", "end-of-day", steps, await run_steps(steps))


def steps_of(
    symbols: Sequence[str], day: date, strategies: Sequence[str], intervals: Sequence[str]
) -> list[Step]:
    """What an evening consists of, in order.

    Args:
        symbols: Whose bars.
        day: The session's New York date.
        strategies: Strategies of gold.
        intervals: Their bars.
    """
    named, first = list(symbols), (day - LOOK_BACK).isoformat()
    steps = [
        Step(
            BRONZE,
            "flows.bars.bronze.bronze",
            {
                "symbols": named,
                "interval": interval.value,
                "start": first,
                "end": day.isoformat(),
            },
        )
        for interval in settings().intervals
    ]
    steps += [
        Step(
            MEDALLION,
            "flows.bars.medallion.medallion",
            {
                "symbols": named,
                "layers": ["silver", "gold"],
                "strategies": list(strategies),
                "intervals": list(intervals),
            },
        ),
        Step(
            CHECK_BARS,
            "flows.operations.check_bars.check_bars",
            {"symbols": named, "first": day.isoformat(), "last": day.isoformat()},
        ),
    ]
    if settings().database_url is not None:
        steps += [
            Step(LOAD_DATABASE, "flows.operations.load_database.load_database",
                 {"symbols": named}),
            Step(RECONCILE_ORDERS, "flows.trading.reconcile_orders.reconcile_orders", {}),
            Step(UPDATE_POSITIONS, "flows.trading.update_positions.update_positions", {}),
            Step(PERFORMANCE_REPORT, "flows.trading.performance_report.performance_report", {}),
            Step(DAILY_SUMMARY, "flows.trading.daily_summary.daily_summary", {}),
        ]  # fmt: skip
    return steps
