"""`monitor-risk`: exposure, drawdown, daily loss, concentration, correlation, value at risk."""

import asyncio
import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from database.alerts.evaluation import evaluate
from database.bars.reading import read_bars
from database.connection import Database
from database.orders.risk import read_risk
from database.orders.standing import read_standing
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.settings import settings
from flows.runs import rendering
from flows.trading.addressees import addressees
from flows.trading.parameters import AccountName, Days, account_database
from trading.alerts.observations import Finding, Survey
from trading.arrays import Floats
from trading.bars.intervals import Interval
from trading.instruments.clock import nanoseconds_of
from trading.risk.monitoring import RiskReport, risk_report


@dataclasses.dataclass(frozen=True, slots=True)
class RiskSummary:
    """What accounts risk.

    Attributes:
        states: What each account may do.
        breaches: Limits that are exceeded, a sentence each.
    """

    states: dict[str, str]
    breaches: tuple[str, ...]


@flow(name="monitor-risk", flow_run_name="monitor-risk")
@domain_errors_fail_run
@documented
async def monitor_risk(account: AccountName = None, days: Days = 365) -> RiskSummary:
    """Measure what each account risks beside its limits.

    The executor enforces limits at every bar; this looks at them from outside, also while no
    executor runs. A breach is logged, shown, and told by the alert rules of the kind risk_limit; it
    halts nothing by itself.
    """
    found = await asyncio.to_thread(_told, account, days)
    breaches = tuple(
        f"{name}: {breach}" for name, (_, report) in found.items() for breach in report.breaches
    )
    for breach in breaches:
        get_run_logger().warning("%s", breach)
    measures = [field.name for field in dataclasses.fields(RiskReport) if field.name != "breaches"]
    rows = [
        [name, state, *(rendering.value_text(getattr(report, measure)) for measure in measures)]
        for name, (state, report) in found.items()
    ]
    await acreate_markdown_artifact(
        "\n\n".join(["# Risk", rendering.table(("account", "state", *measures), rows), *breaches]),
        key="risk",
        description=f"{len(breaches)} breaches in {len(found)} accounts",
    )
    return RiskSummary({name: state for name, (state, _) in found.items()}, breaches)


def _told(name: str | None, days: int) -> dict[str, tuple[str, RiskReport]]:
    """What the account of that name or all risk, after the alert rules have seen all."""
    every = _measured(days)
    now = datetime.now(UTC)
    with account_database(name) as (database, known):
        survey = Survey("risk_limit", nanoseconds_of(now), findings(every))
        evaluate(database, [survey], addressees(database), now)
    return {account.id: every[account.id] for account in known if account.id in every}


def findings(found: Mapping[str, tuple[str, RiskReport]]) -> tuple[Finding, ...]:
    """What alert rules look at: a finding for each account, a new episode for each new breach."""
    return tuple(
        Finding(
            name,
            is_wrong=bool(report.breaches),
            detail=f"{name}: {'; '.join(map(str, report.breaches)) or 'no limit is reached'}",
            episode=", ".join(breach.measure for breach in report.breaches),
        )
        for name, (_, report) in found.items()
    )


def _measured(days: int) -> dict[str, tuple[str, RiskReport]]:
    """What each account risks, with how its state is shown."""
    found = {}
    with account_database(None) as (database, known):
        for account in known:
            now, risk = read_standing(database, account.id), read_risk(database, account.id)
            symbols = [position.symbol for position in now.positions]
            returns = daily_returns(database, symbols, days)
            report = risk_report(now, risk.memory, settings().risk_limits, returns)
            found[account.id] = (risk.shown, report)
    return found


def daily_returns(database: Database, symbols: list[str], days: int) -> dict[str, Floats]:
    """Daily returns of symbols on the days that any of them has, NaN where one has none."""
    end = datetime.now(UTC)
    bars = {
        symbol: read_bars(database, symbol, Interval.DAY, end - timedelta(days=days), end)
        for symbol in symbols
    }
    if not bars:
        return {}
    every = np.unique(np.concatenate([own.timestamps for own in bars.values()]))
    found = {}
    for symbol, own in bars.items():
        closes = np.full(len(every), np.nan)
        closes[np.searchsorted(every, own.timestamps)] = own.close
        found[symbol] = closes[1:] / closes[:-1] - 1.0
    return found
