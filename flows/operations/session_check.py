"""`session-check`: whether all that trades is there, five minutes before the bell."""

import asyncio
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.settings import settings
from flows.operations.health_checks import check_all, named_place
from flows.operations.timed import At, meant_for
from trading.instruments.market_hours import why_no_session
from trading.operations.health import Condition

NEEDED = ("stream", "windows", "signals", "executor")
"""Processes without which a session passes by."""


@flow(name="session-check", flow_run_name="session-check")
@domain_errors_fail_run
@documented
async def session_check(at: At = None) -> State[Any]:
    """Look, before a session begins, whether database, bus and live processes are there.

    On a day without a session it ends Completed with the message "market closed".
    """
    if reason := why_no_session(meant_for(at)):
        return Completed(message=reason)
    found = await asyncio.to_thread(check_all, settings(), named_place(settings()))
    running = {c.name.partition(" ")[0] for c in found.checks if c.condition is Condition.OK}
    problems = [f"{name} is not running" for name in NEEDED if name not in running]
    problems += [f"{c.name}: {c.message}" for c in found.checks if c.condition is Condition.DOWN]
    if problems:
        return Failed(message="; ".join(problems), data=problems)
    return Completed(message="all is there", data=problems)
