"""Jobs that will never end by themselves: deleted, or taken and never started."""

from __future__ import annotations

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType

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
    """Workers die between the two (Prefect #20485, #22664): without `_is_stuck` the parent waits
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
