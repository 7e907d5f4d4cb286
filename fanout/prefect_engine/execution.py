"""Executing a flow run that exists, in this process, and sending what it has logged.

`python -m prefect.flow_engine` does the same in a process of its own.
"""

from __future__ import annotations

import inspect
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.events.worker import EventsWorker
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import run_flow_async
from prefect.logging.handlers import APILogHandler


async def run_to_end(flow: Flow[..., Any], flow_run: FlowRun) -> State[Any] | None:
    """Execute a flow run, with retries and all, as a job would.

    Args:
        flow: The async flow of the run's deployment.
        flow_run: The run as read from the server: Pending, or created Running.

    Returns:
        The state in which the engine left it, which is not final when the run was being cancelled
        before it began; None when the server refused to let it start or go on.
    """
    parameters = dict(flow_run.parameters)
    try:
        state = await run_flow_async(
            flow, flow_run=flow_run, parameters=parameters, return_type="state"
        )
    except (Abort, Pause):
        return None
    if not isinstance(state, State):
        raise TypeError(state)
    return state


async def deliver() -> None:
    """Send the logs and events that background threads still hold, and end those threads.

    Left to the interpreter's exit they try for more than a minute to reach a server that has been
    stopped by then.
    """
    await APILogHandler.aflush()
    drained = EventsWorker.drain_all()
    if inspect.isawaitable(drained):
        await drained
