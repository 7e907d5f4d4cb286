"""How many flow runs of one orchestrator run are in which state, as the server counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, StateType
from prefect.client.schemas.sorting import FlowRunSort

from fanout.runs import read_subflows
from flows.deploy.deployments import (
    AGGREGATE_PORTFOLIO,
    ANALYZE_SYMBOL,
    ANALYZE_TIME_PARTITION,
    INGEST_MARKET_DATA,
    ORCHESTRATOR,
    VALIDATE_DATA,
)

DEPLOYMENTS = (
    ORCHESTRATOR,
    INGEST_MARKET_DATA,
    VALIDATE_DATA,
    ANALYZE_SYMBOL,
    ANALYZE_TIME_PARTITION,
    AGGREGATE_PORTFOLIO,
)
_PAGE = 200
UNFINISHED = tuple(frozenset(StateType) - TERMINAL_STATES)
_A_DAY = timedelta(days=1)


@dataclass(slots=True)
class RunCounts:
    """The flow runs below one orchestrator run: its children and their partitions.

    Attributes:
        client: The client of their server.
        root: The orchestrator's flow run.
        since: A time before the first of them was created.
    """

    client: PrefectClient
    root: UUID
    since: datetime
    _children: list[UUID] = field(default_factory=list)

    async def partitions(self) -> Counter[str]:
        """Partitions' flow runs by state name, in three requests at most, two as a rule."""
        await self._refresh_children()
        below = {"parent_flow_run_id": {"any_": _strings(self._children)}}
        return await self._by_state(below) if self._children else Counter()

    async def by_deployment(self) -> dict[str, dict[str, int]]:
        """All flow runs, the orchestrator's included: deployment -> state name -> count."""
        await self._refresh_children()
        tree = {
            "operator": "or_",
            "id": {"any_": [str(self.root)]},
            "parent_flow_run_id": {"any_": _strings([self.root, *self._children])},
        }
        names = [full_name.partition("/")[2] for full_name in DEPLOYMENTS]
        counts = {name: dict(await self._by_state(tree, name)) for name in names}
        return {name: states for name, states in counts.items() if states}

    async def _by_state(self, flow_runs: dict[str, Any], deployment: str = "") -> Counter[str]:
        """Count on the server: one interval of the history that the UI's charts are made of."""
        span = (datetime.now(UTC) - self.since) + 2 * _A_DAY
        body: dict[str, Any] = {
            "history_start": (self.since - _A_DAY).isoformat(),
            "history_end": (self.since - _A_DAY + span).isoformat(),
            "history_interval_seconds": span.total_seconds(),
            "flow_runs": flow_runs,
        }
        if deployment:
            body["deployments"] = {"name": {"any_": [deployment]}}
        answer = await self.client.request("POST", "/flow_runs/history", json=body)
        answer.raise_for_status()
        states = [state for interval in answer.json() for state in interval["states"]]
        return Counter({state["state_name"]: state["count_runs"] for state in states})

    async def unfinished(self) -> list[UUID]:
        """The runs below the orchestrator's that have not reached a final state."""
        await self._refresh_children()
        wanted = FlowRunFilter(
            parent_flow_run_id=_below(self.root, *self._children),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(UNFINISHED))),
        )
        found: list[UUID] = []
        while page := await self.client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.ID_DESC, limit=_PAGE, offset=len(found)
        ):
            found += [run.id for run in page]
        return found

    async def _refresh_children(self) -> None:
        """Read the orchestrator's children again when there are more of them than before."""
        below = FlowRunFilter(parent_flow_run_id=_below(self.root))
        if await self.client.count_flow_runs(flow_run_filter=below) != len(self._children):
            self._children = [run.id for run in await read_subflows(self.client, self.root)]


def _below(*parents: UUID) -> FlowRunFilterParentFlowRunId:
    return FlowRunFilterParentFlowRunId(any_=list(parents))


def _strings(ids: Sequence[UUID]) -> list[str]:
    return [str(flow_run_id) for flow_run_id in ids]
