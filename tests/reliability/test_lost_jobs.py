"""Jobs that will never end by themselves: deleted, or taken and never started."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import InfrastructurePending, Pending, Running

from fanout import FanOutPolicy, Outcome
from tests.fanout.conftest import _quick  # noqa: F401 - a fixture
from tests.fanout.toy import Leaf, Worker, deployed, execute_job, new_parent, working

COMPLETED, CRASHED = StateType.COMPLETED, StateType.CRASHED
QUICK = FanOutPolicy(
    max_in_flight=4, poll_seconds=0.05, max_attempts=20, pending_deadline_seconds=1.0
)
"""A busy machine may take longer than the deadline to start a job: that costs an attempt."""


async def test_a_job_that_was_deleted_is_not_waited_for(prefect_client: PrefectClient) -> None:
    """Without `_inspect` the parent waits for ever: the server lists a deleted run nowhere."""
    async with deployed(prefect_client, Leaf(), pooled=True) as toy:

        async def delete_one(run: FlowRun) -> None:
            if run.parameters["item"] == 1:
                await prefect_client.delete_flow_run(run.id)
            else:
                await execute_job(run)

        parent = await new_parent(prefect_client)
        async with working(Worker(toy, delete_one)):
            await parent.execute(toy.jobs(3, QUICK))
    outcomes = [result.outcome for result in parent.run_set.results]
    assert outcomes == [Outcome.COMPLETED, Outcome.CANCELLED, Outcome.COMPLETED]
    assert parent.run_set.results[1].message == "Its run was deleted on the server."


async def test_a_job_that_a_worker_took_and_did_not_start_gets_another(
    prefect_client: PrefectClient,
) -> None:
    """Workers die between the two (Prefect #20485, #22664): without `_is_late` the parent waits
    for ever."""
    dropped: set[int] = set()
    async with deployed(prefect_client, Leaf(), pooled=True) as toy:

        async def drop_first(run: FlowRun) -> None:
            item = run.parameters["item"]
            if item == 0 and item not in dropped:
                dropped.add(item)
            else:
                await execute_job(run)

        parent = await new_parent(prefect_client)
        async with working(Worker(toy, drop_first)):
            await parent.execute(toy.jobs(2, QUICK))
        states = await toy.states()
    assert states[0][0] is CRASHED
    assert {attempts[-1] for attempts in states.values()} == {COMPLETED}
    assert parent.run_set.counts() == {Outcome.COMPLETED: 2}


@contextmanager
def told_that_jobs_wait() -> Iterator[asyncio.Event]:
    """Set when a parent has said in its log that jobs of it wait."""
    told = asyncio.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "go on waiting" in record.getMessage():
                told.set()

    logger, listener = logging.getLogger("prefect.flow_runs"), Listener()
    logger.addHandler(listener)
    try:
        yield told
    finally:
        logger.removeHandler(listener)


@pytest.mark.parametrize("known_by", ["its job", "its pod"])
async def test_a_job_that_waits_for_its_node_waits_and_gets_no_second(
    prefect_client: PrefectClient, known_by: str
) -> None:
    """A second one would wait behind the first, and both count nowhere as the limit says."""
    async with deployed(prefect_client, Leaf(), pooled=True, pool_type="kubernetes") as toy:

        async def start_late(run: FlowRun) -> None:
            if known_by == "its job":
                await prefect_client.update_flow_run(run.id, infrastructure_pid="trading:leaf-1")
            else:
                await prefect_client.set_flow_run_state(run.id, InfrastructurePending())
            await told.wait()
            await execute_job(await prefect_client.read_flow_run(run.id))

        parent = await new_parent(prefect_client)
        with told_that_jobs_wait() as told:
            async with working(Worker(toy, start_late)):
                await parent.execute(toy.jobs(2, QUICK))
        states = await toy.states()
    assert list(states.values()) == [[COMPLETED], [COMPLETED]]
    assert parent.run_set.counts() == {Outcome.COMPLETED: 2}


async def test_the_job_of_an_earlier_start_starts_nothing_again(
    prefect_client: PrefectClient,
) -> None:
    """Evicted, a run is taken again: what it notes is then the Job that is gone."""
    dropped: set[int] = set()
    async with deployed(prefect_client, Leaf(), pooled=True, pool_type="kubernetes") as toy:

        async def drop_second_start(run: FlowRun) -> None:
            if run.parameters["item"] in dropped:
                await execute_job(run)
                return
            dropped.add(run.parameters["item"])
            await prefect_client.update_flow_run(run.id, infrastructure_pid="trading:leaf-1")
            await prefect_client.set_flow_run_state(run.id, Running())
            await prefect_client.set_flow_run_state(run.id, Pending(), force=True)

        parent = await new_parent(prefect_client)
        async with working(Worker(toy, drop_second_start)):
            await parent.execute(toy.jobs(1, QUICK))
        states = await toy.states()
    assert states[0] == [CRASHED, COMPLETED]
