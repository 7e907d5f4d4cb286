"""Creating a parent's children on the server: of which deployment, in which state, below what."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.schemas.actions import DeploymentFlowRunCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import DeploymentResponse
from prefect.states import Pending, Running, Scheduled, to_state_create

from fanout import runs
from fanout.children import Outcome, Placement
from fanout.decisions import idempotency_key
from fanout.orphans import PLACEMENT_LABEL
from fanout.prefect_engine.bulk import Refusal, as_created
from fanout.prefect_engine.inline import InlineClient, retry_policy
from fanout.tracked import Tracked


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCreation:
    """Makes flow runs of one deployment that hang on one parent.

    Attributes:
        client: The API client.
        parent: The parent's flow run.
        target: The deployment.
        link_id: The parent's task run on which its children hang as subflows.
        flow: The deployment's flow where runs execute in this process; None for jobs.
    """

    client: InlineClient
    parent: FlowRun
    target: DeploymentResponse
    link_id: UUID
    flow: Flow[..., Any] | None

    @classmethod
    async def attached(
        cls, client: InlineClient, parent: FlowRun, deployment: str, flow: Flow[..., Any] | None
    ) -> RunCreation:
        """Find the deployment, and make the link to the parent, or find it.

        Raises:
            prefect.exceptions.ObjectNotFound: There is no such deployment.
        """
        target = await runs.until_answered(client.deployment, deployment)
        link_id = await runs.link_task_run(client, parent, deployment)
        return cls(client=client, parent=parent, target=target, link_id=link_id, flow=flow)

    @property
    def _placement(self) -> Placement:
        return Placement.JOB if self.flow is None else Placement.INLINE

    async def create(self, due: Sequence[Tracked], *, at_once: bool) -> None:
        """Create the next attempt of each, and learn what the server made of it.

        Args:
            due: What has no run to wait for.
            at_once: Whether none of those that execute here has to wait for another.
        """
        state = self._first_state(at_once=at_once)
        requests = [self._request(t, state) for t in due]
        created = await runs.create_runs(self.client, self.target.id, requests)
        if self._placement is Placement.JOB:
            found = await runs.read_runs(self.client, [c for c in created if isinstance(c, UUID)])
        else:
            # Nobody but this process takes them on: they are what was asked for.
            found = {
                run_id: as_created(run_id, request, state, self.target)
                for run_id, request in zip(created, requests, strict=True)
                if isinstance(run_id, UUID)
            }
        for t, answer in zip(due, created, strict=True):
            if isinstance(answer, Refusal) or answer not in found:
                t.verdict = Outcome.NOT_CREATED
                t.message = answer.reason if isinstance(answer, Refusal) else "It was deleted."
                continue
            t.run = found[answer]
            t.attempt += 1
            t.tried_here += 1
            t.inherited = t.stale = False
            t.since, t.pending_since, t.known_to_wait = time.monotonic(), None, False

    def _first_state(self, *, at_once: bool) -> State[None]:
        if self._placement is Placement.JOB:
            return Scheduled()
        # Running, where they start now: one request less for each. Pending: no worker picks it
        # up, and it never counts as late.
        return Running() if at_once else Pending()

    def _request(self, t: Tracked, state: State[None]) -> DeploymentFlowRunCreate:
        request = DeploymentFlowRunCreate(
            name=t.child.name,
            parameters=dict(t.child.parameters),
            tags=list(t.child.tags),
            state=to_state_create(state),
            idempotency_key=idempotency_key(self.parent.id, t.child.key, t.attempt + 1),
            parent_task_run_id=self.link_id,
            labels={PLACEMENT_LABEL: self._placement.value},
        )
        if self.flow is not None:
            request.empirical_policy = retry_policy(self.flow)
            # This process's engine validates them, which costs the server nothing.
            request.enforce_parameter_schema = False
        return request
