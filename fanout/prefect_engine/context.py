"""The flow run that executes this code, as Prefect's engine keeps it in a context variable.

`prefect.runtime.flow_run` documents its id, and asks the server for the rest.
"""

from __future__ import annotations

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext


def current_flow_run() -> FlowRun | None:
    """The flow run around the caller, as its engine read it; None outside of any."""
    context = FlowRunContext.get()
    run = None if context is None else context.flow_run
    return run if isinstance(run, FlowRun) else None


def engine_client() -> PrefectClient:
    """The API client of the engine around the caller; a new one where that has none."""
    context = FlowRunContext.get()
    client = None if context is None else context.client
    return client if isinstance(client, PrefectClient) else get_client()
