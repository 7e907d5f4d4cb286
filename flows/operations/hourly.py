"""`hourly`: bars and signals of the session so far."""

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
from flows.deploy.deployments import BRONZE, MEDALLION
from flows.operations.timed import At, Step, StepOutcome, ended, meant_for, run_steps
from flows.operations.watched import watched_symbols
from trading.instruments.clock import NEW_YORK
from trading.instruments.market_hours import why_closed

AFTER_CLOSE = timedelta(minutes=30)
"""The last run of a day comes after the close and fetches its last hour."""


@flow(name="hourly", flow_run_name="hourly")
@domain_errors_fail_run
@documented
async def hourly(
    symbols: Symbols = None,
    at: At = None,
    strategies: Annotated[
        list[StrategyName],
        Field(min_length=1, description="Strategies of gold.", examples=[["vegas_channel"]]),
    ] = DEFAULT_STRATEGIES,
    intervals: BarIntervals = DEFAULT_INTERVALS,
) -> list[StepOutcome] | State[Any]:
    """Fetch the session's bars so far, and bring silver and gold up to date.

    Outside of a session it ends Completed with the message "market closed".
    """
    moment = meant_for(at)
    if reason := why_closed(moment, after_close=AFTER_CLOSE):
        return Completed(message=reason)
    chosen = await asyncio.to_thread(watched_symbols, symbols)
    day = moment.astimezone(NEW_YORK).date()
    steps = _steps(chosen, day, strategies, [interval.value for interval in intervals])
    return await ended("Hourly", "hourly", steps, await run_steps(steps))


def _steps(
    symbols: Sequence[str], day: date, strategies: Sequence[str], intervals: Sequence[str]
) -> list[Step]:
    named, today = list(symbols), day.isoformat()
    steps = [
        Step(
            BRONZE,
            "flows.bars.bronze.bronze",
            {"symbols": named, "interval": interval.value, "start": today, "end": today},
        )
        for interval in settings().intervals
    ]
    layers = {
        "symbols": named,
        "layers": ["silver", "gold"],
        "strategies": list(strategies),
        "intervals": list(intervals),
    }
    steps.append(Step(MEDALLION, "flows.bars.medallion.medallion", layers))
    return steps
