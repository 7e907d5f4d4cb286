"""Limits of pools and queues: every child starts, and no parent holds what its children need."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.settings import (
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)
from prefect.states import Completed, Pending

from fanout import FanOutPolicy, Outcome, runs
from flows.boundary.settings import settings
from flows.deploy.registration import SERVICE_LIMITS
from tests.fanout.toy import Leaf, Toy, deployed, new_parent
from tests.flows.conftest import registered  # noqa: F401 - a fixture
from tests.waiting import WAIT_SECONDS

LIMIT = 15
CHILDREN = 60


@dataclass
class Poller:
    """Takes what the server hands out to a worker of the pool, a poll at a time.

    Attributes:
        most: The most runs that one poll was given.
        most_while_full: How many it was given once while all slots were taken.
        started: The runs it was given.
    """

    toy: Toy
    most: int = 0
    most_while_full: int | None = None
    started: set[UUID] = field(default_factory=set)

    async def serve(self) -> None:
        """Poll until cancelled; once, let all that was handed out hold its slots for a while."""
        client, pool = self.toy.client, self.toy.pool
        assert pool is not None
        waiting = (StateType.SCHEDULED, StateType.PENDING)
        while True:
            polled = await client.get_scheduled_flow_runs_for_work_pool(pool)
            ids = [response.flow_run.id for response in polled]
            self.most = max(self.most, len(ids))
            self.started |= set(ids)
            if self.most_while_full is None and len(ids) == LIMIT:
                await runs.set_states(client, ids, Pending(), only=waiting, force=True)
                further = await client.get_scheduled_flow_runs_for_work_pool(pool)
                self.most_while_full = len(further)
            await runs.set_states(client, ids, Completed(), only=waiting, force=True)
            await asyncio.sleep(0.2)


@pytest.mark.slow
async def test_children_pass_through_a_limited_pool_and_all_start(
    prefect_client: PrefectClient,
) -> None:
    """Fails when the parent's own run is counted by the limit, or a child has a limited
    deployment (Prefect #19403): the poll comes back empty while slots are free."""
    policy = FanOutPolicy(max_in_flight=100, poll_seconds=1.0)
    quiet = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
    async with deployed(prefect_client, Leaf(), pooled=True) as toy:
        assert toy.pool is not None
        await prefect_client.update_work_pool(toy.pool, WorkPoolUpdate(concurrency_limit=LIMIT))
        poller = Poller(toy)
        serving = asyncio.create_task(poller.serve())
        parent = await new_parent(prefect_client)
        with temporary_settings(quiet):
            await asyncio.wait_for(parent.execute(toy.jobs(CHILDREN, policy)), WAIT_SECONDS)
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
    assert parent.run_set.counts() == {Outcome.COMPLETED: CHILDREN}
    assert {result.attempts for result in parent.run_set.results} == {1}
    assert len(poller.started) == CHILDREN
    assert poller.most == LIMIT
    assert poller.most_while_full == 0


async def test_parents_wait_in_another_queue_than_partitions_and_no_deployment_is_limited(
    registered: None,  # noqa: F811 - the fixture
    prefect_client: PrefectClient,
) -> None:
    """Fails with `*partitions` for `analyze-symbol` in prefect.yaml: parents would hold the slots
    that their partitions need. A deployment's limit needs a lease, whose loss ends a run that
    does well (Prefect #18839), so there is none."""
    pool = settings().work_pool
    deployments = [d for d in await prefect_client.read_deployments() if d.work_pool_name == pool]
    queues = await prefect_client.read_work_queues(work_pool_name=pool)
    limits = {queue.name: queue.concurrency_limit for queue in queues}
    by_queue = {d.name: d.work_queue_name for d in deployments}
    leaves = {"analyze-time-partition"} | {
        f"{dataset}-partition" for dataset in ("bronze", "silver", "gold", "backtest")
    }
    assert {name for name, queue in by_queue.items() if queue == "partitions"} == leaves
    # A service's queue has a limit, so nothing that a fan-out creates as a job may wait in one.
    services = {name for name, queue in by_queue.items() if queue in SERVICE_LIMITS}
    created = {"analyze-symbol", "bronze", "silver", "gold", "medallion", "backtest"}
    assert not services & created
    assert set(by_queue.values()) == {"parents", "partitions", *SERVICE_LIMITS}
    assert limits["parents"] is None
    assert (await prefect_client.read_work_pool(pool)).concurrency_limit is None
    assert {d.global_concurrency_limit for d in deployments} == {None}
