"""Children in jobs of their own, with a stand-in for the worker that starts them."""

from __future__ import annotations

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed, Running

from fanout import FanOutPolicy, Outcome
from tests.fanout.toy import Leaf, Toy, Worker, deployed, execute_job, new_parent, working
from tests.fanout.wire import BULK_CREATE, Wire, answer, lose_reply

COMPLETED, FAILED, CRASHED = StateType.COMPLETED, StateType.FAILED, StateType.CRASHED
QUICK = FanOutPolicy(max_in_flight=4, poll_seconds=0.05, max_attempts=2)


async def test_every_job_is_waited_for(prefect_client: PrefectClient, wire: Wire) -> None:
    leaf = Leaf(failing=frozenset({1}))
    async with deployed(prefect_client, leaf, pooled=True) as toy:
        parent = await new_parent(prefect_client)
        async with working(Worker(toy)) as worker:
            assert (await parent.execute(toy.jobs(9, QUICK))).is_completed()
        runs = await toy.runs()

    outcomes = [result.outcome for result in parent.run_set.results]
    assert outcomes == [Outcome.FAILED if i == 1 else Outcome.COMPLETED for i in range(9)]
    assert "item 1 is bad" in parent.run_set.results[1].message
    assert {item: run.state_type for item, (run,) in runs.items()} == {
        item: FAILED if item == 1 else COMPLETED for item in range(9)
    }
    for item, result in enumerate(parent.run_set.results):
        (run,) = runs[item]
        assert (run.id, run.name) == (result.flow_run_id, f"leaf {item}")
        assert run.work_pool_name == toy.pool
        assert run.parent_task_run_id is not None
    assert worker.started == 9
    assert worker.most_open <= 4


async def test_one_request_looks_at_all_children(prefect_client: PrefectClient, wire: Wire) -> None:
    async with deployed(prefect_client, Leaf(), pooled=True) as toy:
        parent = await new_parent(prefect_client)
        async with working(Worker(toy)):
            await parent.execute(toy.jobs(6, FanOutPolicy(max_in_flight=6, poll_seconds=0.05)))
    ids = {str(result.flow_run_id) for result in parent.run_set.results}
    looks = [body for body in wire.bodies("flow_runs/filter") if looked_at(body)]
    assert looks
    assert looked_at(looks[0]) == ids
    # Beside those only the worker's: it reads and moves single runs, but sends no state twice.
    assert len(wire.bodies(BULK_CREATE)) == 1


def looked_at(body: dict[str, object]) -> set[str]:
    """The runs at whose end a request looks; none when it is another's."""
    wanted = body.get("flow_runs")
    if not isinstance(wanted, dict) or not wanted.get("id") or not wanted.get("state"):
        return set()
    return set(wanted["id"]["any_"])


class Unlucky:
    """A worker whose first jobs of some items are lost with their node."""

    def __init__(self, toy: Toy, crashes: dict[int, int]) -> None:
        self.toy = toy
        self.crashes = crashes

    async def __call__(self, run: FlowRun) -> None:
        item = run.parameters["item"]
        if self.crashes.get(item, 0) == 0:
            await execute_job(run)
            return
        self.crashes[item] -= 1
        await self.toy.client.set_flow_run_state(run.id, Running())
        await self.toy.client.set_flow_run_state(run.id, Crashed(message="the node is gone"))


async def test_a_lost_job_gets_another_until_it_is_enough(prefect_client: PrefectClient) -> None:
    leaf = Leaf()
    async with deployed(prefect_client, leaf, pooled=True) as toy:
        parent = await new_parent(prefect_client)
        async with working(Worker(toy, Unlucky(toy, {0: 1, 1: 9, 2: 9}))):
            await parent.execute(toy.jobs(4, QUICK, satisfied=lambda _: {"key:2"}))
        states = await toy.states()
    assert [(r.outcome, r.attempts) for r in parent.run_set.results] == [
        (Outcome.COMPLETED, 2),
        (Outcome.CRASHED, 2),
        (Outcome.COMPLETED, 1),  # reported as lost after it had done its work
        (Outcome.COMPLETED, 1),
    ]
    assert parent.run_set.results[1].message == "the node is gone"
    assert states == {
        0: [CRASHED, COMPLETED],
        1: [CRASHED, CRASHED],
        2: [CRASHED],
        3: [COMPLETED],
    }


async def test_a_retried_parent_waits_for_the_jobs_it_has(
    prefect_client: PrefectClient, wire: Wire
) -> None:
    leaf = Leaf(failing=frozenset({2}))
    async with deployed(prefect_client, leaf, pooled=True) as toy:
        parent = await new_parent(prefect_client)
        async with working(Worker(toy)):
            await parent.execute(toy.jobs(3, QUICK))
        # Another process of the parent finds one job running, one failed and one done.
        running = await toy.latest(0)
        await prefect_client.set_flow_run_state(running.id, Running(), force=True)
        leaf.failing = frozenset()
        wire.requests.clear()

        async def then_end(run: FlowRun) -> None:
            await execute_job(run)
            await prefect_client.set_flow_run_state(running.id, Crashed(message="late"))

        async with working(Worker(toy, then_end)):
            await parent.execute(toy.jobs(3, QUICK))
        states = await toy.states()
    # The running job was not doubled; when it crashed, it was this execution's to redo.
    assert states == {0: [CRASHED, COMPLETED], 1: [COMPLETED], 2: [FAILED, COMPLETED]}
    assert [len(body) for body in wire.bodies(BULK_CREATE)] == [1, 1]
    assert [r.attempts for r in parent.run_set.results] == [2, 1, 2]
    assert parent.run_set.counts() == {Outcome.COMPLETED: 3}


async def test_a_job_that_takes_too_long_is_cancelled_and_makes_room(
    prefect_client: PrefectClient,
) -> None:
    async with deployed(prefect_client, Leaf(), pooled=True) as toy:
        parent = await new_parent(prefect_client)
        policy = FanOutPolicy(max_in_flight=1, poll_seconds=0.05, child_deadline_seconds=0.2)
        await parent.execute(toy.jobs(2, policy))
        states = await toy.states()
    assert parent.run_set.counts() == {Outcome.OVERDUE: 2}
    assert parent.run_set.results[0].message == "It did not end within 0.2 s and was cancelled."
    assert states == {0: [StateType.CANCELLED], 1: [StateType.CANCELLED]}


async def test_a_server_that_restarts_meanwhile_loses_no_job(
    prefect_client: PrefectClient, wire: Wire
) -> None:
    async with deployed(prefect_client, Leaf(), pooled=True) as toy:
        parent = await new_parent(prefect_client)

        async def disturb(run: FlowRun) -> None:
            await execute_job(run)
            if run.parameters["item"] == 0:
                wire.disturb("flow_runs/filter", answer(502), lose_reply, answer(503))

        wire.disturb(BULK_CREATE, lose_reply)
        async with working(Worker(toy, disturb)):
            await parent.execute(toy.jobs(3, QUICK))
        states = await toy.states()
    assert parent.run_set.counts() == {Outcome.COMPLETED: 3}
    assert states == {item: [COMPLETED] for item in range(3)}
