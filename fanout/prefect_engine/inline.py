"""Executing a fan-out's flow runs in their parent's process, with few requests and no threads.

The run is the same as in a job: states, parent link, parameters, logs, retry from the UI. What
is spared is a process, and what the engine would ask or tell the server a second time:

- one API client for all runs of a process, instead of a new one, with a new TLS context, each;
- the engine reads and updates a run before it starts; its parent created the run a moment ago
  and hands the engine what it would read;
- the engine says that a run starts; one that was created Running has said so;
- a thread with an event websocket per run that watches for suspension, and one per run that
  sends heartbeats: the parent's process sends its own, and a run inside it lives as long.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, FlowRunPolicy, State, StateType
from prefect.client.schemas.responses import (
    DeploymentResponse,
    OrchestrationResult,
    SetStateStatus,
    StateAcceptDetails,
)
from prefect.context import AsyncClientContext, ContextModel
from prefect.exceptions import ObjectNotFound
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_CLIENT_RETRY_EXTRA_CODES,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    temporary_settings,
)

from fanout.patience import client_settings
from fanout.prefect_engine.execution import run_to_end


class InlineClient(PrefectClient):
    """The API client of inline runs: answers from memory what their parent already knows."""

    def __init__(self, parent_client: PrefectClient) -> None:
        super().__init__(
            str(parent_client.api_url),
            auth_string=PREFECT_API_AUTH_STRING.value(),
            api_key=PREFECT_API_KEY.value(),
            server_type=parent_client.server_type,
            httpx_settings=client_settings(str(parent_client.api_url)),
        )
        self._fresh: dict[UUID, FlowRun] = {}
        self._deployments: dict[str, DeploymentResponse] = {}

    async def deployment(self, name: str) -> DeploymentResponse:
        """The deployment `flow-name/deployment-name`; asked for once.

        Raises:
            prefect.exceptions.ObjectNotFound: There is none; the message says so.
        """
        if name not in self._deployments:
            try:
                self._deployments[name] = await self.read_deployment_by_name(name)
            except ObjectNotFound as error:
                # Prefect's own message is empty.
                why = f"deployment={name!r} is not registered on the server; deploy it."
                raise ObjectNotFound(error.http_exc, why) from None
        return self._deployments[name]

    def adopt(self, flow_run: FlowRun) -> None:
        """Answer the engine's first read of this run, and spare its first update.

        The update would repeat the retry policy with which the run was created.
        """
        self._fresh[flow_run.id] = flow_run

    def disown(self, flow_run_id: UUID) -> None:
        """Ask the server about this run again."""
        self._fresh.pop(flow_run_id, None)

    async def read_flow_run(self, flow_run_id: UUID) -> FlowRun:
        """As in Prefect's client; once per adopted run without a request.

        Later reads, such as those of an engine that retries the flow, go to the server.
        """
        known = self._fresh.pop(flow_run_id, None)
        return known if known is not None else await super().read_flow_run(flow_run_id)

    async def update_flow_run(self, flow_run_id: UUID, *args: Any, **kwargs: Any) -> httpx.Response:  # noqa: ANN401 - passes on Prefect's own arguments
        """As in Prefect's client, but nothing is sent for a run that was just adopted."""
        if flow_run_id in self._fresh:
            return httpx.Response(204)
        return await super().update_flow_run(flow_run_id, *args, **kwargs)

    async def set_flow_run_name(self, flow_run_id: UUID, name: str) -> httpx.Response:
        """As in Prefect's client, but nothing is sent when the run was created with that name."""
        known = self._fresh.get(flow_run_id)
        if known is not None and known.name == name:
            return httpx.Response(204)
        return await super().set_flow_run_name(flow_run_id, name)

    async def set_flow_run_state(
        self,
        flow_run_id: UUID | str,
        state: State[Any],
        force: bool = False,  # noqa: FBT001, FBT002 - as in Prefect's client
    ) -> OrchestrationResult[Any]:
        """As in Prefect's client, but nothing is sent to start a run that was created Running.

        And a report of success may be repeated: the reply to the first may have been lost; the
        server rejects the second.
        """
        fresh = self._fresh.get(UUID(str(flow_run_id))) if state.is_running() else None
        if fresh is not None and fresh.state_type is StateType.RUNNING:
            answer = OrchestrationResult[Any](
                state=state, status=SetStateStatus.ACCEPT, details=StateAcceptDetails()
            )
        else:
            answer = await super().set_flow_run_state(flow_run_id, state, force=force)
        if state.is_completed() and answer.state is not None and answer.state.is_completed():
            # Accepted, the engine keeps the flow's value.
            answer.status = SetStateStatus.ACCEPT
        if fresh is not None:
            # As on the server: a parent's first execution is the one that looks for no children.
            fresh.run_count += 1
        return answer


class InlineClientContext(AsyncClientContext):
    """Prefect's client context around an `InlineClient`: every engine inside it uses that one."""

    def __init__(self, parent_client: PrefectClient) -> None:
        ContextModel.__init__(self, client=InlineClient(parent_client))
        self._httpx_settings = None
        self._context_stack = 0

    @property
    def inline_client(self) -> InlineClient:
        """The client, as what it is."""
        if not isinstance(self.client, InlineClient):
            raise TypeError(self.client)
        return self.client


def is_nested() -> bool:
    """Whether the caller executes inside another fan-out's process, as one of its children."""
    return isinstance(AsyncClientContext.get(), InlineClientContext)


@asynccontextmanager
async def inline_client(parent_client: PrefectClient) -> AsyncIterator[InlineClient]:
    """The inline client of this process's fan-out: an outer fan-out's, or a new one.

    Args:
        parent_client: The client of the parent's engine; a new one talks to the same server.
    """
    current = AsyncClientContext.get()
    if isinstance(current, InlineClientContext):
        yield current.inline_client
        return
    # Once for all runs: new settings take 30 ms to make. The parent's own heartbeat goes on. A
    # change of state may be repeated, so these two are waited out as 429, 502 and 503 are.
    waited_out = PREFECT_CLIENT_RETRY_EXTRA_CODES.value() | {500, 504}
    changed = {
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        PREFECT_CLIENT_RETRY_EXTRA_CODES: waited_out,
    }
    with temporary_settings(changed):
        async with InlineClientContext(parent_client) as context:
            yield context.inline_client


def retry_policy(flow: Flow[..., Any]) -> FlowRunPolicy:
    """The policy that the engine would write into a run of this flow when it starts it."""
    return FlowRunPolicy(retries=flow.retries, retry_delay=_whole_seconds(flow))


def _whole_seconds(flow: Flow[..., Any]) -> int | None:
    return None if flow.retry_delay_seconds is None else int(flow.retry_delay_seconds)


async def execute(
    flow: Flow[..., Any], flow_run: FlowRun, client: InlineClient
) -> tuple[State[Any] | None, Any]:
    """Run `flow_run`, which is Pending or was created Running, to its end in this process.

    Args:
        flow: The async flow of the run's deployment.
        flow_run: The run as read from the server.
        client: The client of the surrounding `inline_client`.

    Returns:
        The state in which the engine left it, or None when the server refused to let the run
        start or go on (it was cancelled or paused meanwhile), and the flow's return value, None
        unless it completed.
    """
    # Without a deployment the engine starts no thread that watches for suspension; the run on
    # the server keeps its deployment.
    local = flow_run.model_copy(update={"deployment_id": None})
    client.adopt(local)
    try:
        state = await run_to_end(flow, local)
    finally:
        client.disown(flow_run.id)
    if state is None:
        return None, None
    value = await state.aresult(raise_on_failure=False) if state.is_completed() else None
    return state, value
