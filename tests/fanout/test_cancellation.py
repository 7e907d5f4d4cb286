"""A parent that is stopped leaves no child behind, whoever stops it and however."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from signal import SIGTERM

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.exceptions import Abort, TerminationSignal
from prefect.states import Cancelling, Pending, Running

from fanout import FanOutPolicy, Outcome, Progress, loop, run_set, runs
from tests.fanout.toy import Body, Leaf, Parent, Toy, Worker, deployed, new_parent, until, working
from tests.fanout.wire import (
    BULK_CREATE,
    BULK_SET_STATE,
    Fault,
    Send,
    Wire,
    answer,
    lose_reply,
    refuse_connection,
)

CANCELLED, COMPLETED = StateType.CANCELLED, StateType.COMPLETED
ONE = FanOutPolicy(max_in_flight=1)


async def stop(task: asyncio.Task[object]) -> None:
    """Cancel a parent's task and wait until it has cleaned up."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def states_of(toy: Toy) -> dict[StateType | None, int]:
    """How many of the deployment's runs are in which state."""
    counts: dict[StateType | None, int] = {}
    for attempts in (await toy.states()).values():
        for state in attempts:
            counts[state] = counts.get(state, 0) + 1
    return counts


async def test_a_stopped_parent_cancels_what_has_not_ended(prefect_client: PrefectClient) -> None:
    leaf = Leaf(blocking=frozenset({2, 3}))
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        policy = FanOutPolicy(max_in_flight=2)
        task = asyncio.create_task(parent.execute(toy.inline(12, policy)))
        await until(both_blocked(leaf))
        await stop(task)
        states = await toy.states()
        runs = await toy.runs()
    assert states == {i: [COMPLETED if i < 2 else CANCELLED] for i in range(12)}
    assert set(leaf.calls) == {0, 1, 2, 3}
    messages = {run.state.message for (run,) in runs.values() if run.state and run.state_type}
    assert "Cancelled with its parent." in messages
    assert (await parent.state()).is_crashed()


def both_blocked(leaf: Leaf):  # type: ignore[no-untyped-def] # noqa: ANN201 - a condition
    async def condition() -> bool:
        return leaf.waiting == 2

    return condition


@pytest.mark.parametrize("policy", [FanOutPolicy(), ONE], ids=["running", "pending"])
async def test_a_parent_stopped_while_it_creates_children_leaves_none(
    prefect_client: PrefectClient, wire: Wire, policy: FanOutPolicy
) -> None:
    """The server goes on creating runs for a client that no longer listens."""
    asked = asyncio.Event()

    async def slow(request: httpx.Request, send: Send) -> httpx.Response:
        asked.set()
        # Long enough for a parent that does not wait to have cancelled what there is.
        await until(cancelled_or_patient)
        return await send()

    patience = iter(range(5))

    async def cancelled_or_patient() -> bool:
        return bool(wire.bodies(BULK_SET_STATE)) or next(patience, None) is None

    leaf = Leaf()
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        wire.disturb(BULK_CREATE, slow)
        task = asyncio.create_task(parent.execute(toy.inline(3, policy)))
        await asked.wait()
        await stop(task)
        states = await toy.states()
    assert states == {item: [CANCELLED] for item in range(3)}
    assert not leaf.calls


async def test_an_error_of_the_parent_cancels_its_children(prefect_client: PrefectClient) -> None:
    async def fail(progress: Progress) -> None:
        raise ValueError("no more")

    leaf = Leaf()
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        state = await parent.execute(toy.inline(3, ONE, on_progress=fail))
        states = await toy.states()
    assert state.is_failed()
    assert "no more" in (state.message or "")
    assert states == {0: [COMPLETED], 1: [CANCELLED], 2: [CANCELLED]}


async def test_a_fault_while_cancelling_is_overcome(
    prefect_client: PrefectClient, wire: Wire
) -> None:
    leaf = Leaf(blocking=frozenset({0}))
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        task = asyncio.create_task(parent.execute(toy.inline(3, ONE)))
        await leaf.blocked.wait()
        wire.disturb(BULK_SET_STATE, refuse_connection, lose_reply)
        await stop(task)
        states = await toy.states()
    assert states == {item: [CANCELLED] for item in range(3)}


@pytest.mark.parametrize("fault", [refuse_connection, answer(422)], ids=["gone", "refusing"])
async def test_a_server_that_does_not_cancel_does_not_hide_what_stopped_the_parent(
    prefect_client: PrefectClient, wire: Wire, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(loop, "CLEAN_UP_SECONDS", 0.3)

    async def fail(progress: Progress) -> None:
        wire.disturb_always(BULK_SET_STATE, fault)
        raise ValueError("no more")

    async with deployed(prefect_client, Leaf()) as toy:
        parent = await new_parent(prefect_client)
        state = await parent.execute(toy.inline(3, ONE, on_progress=fail))
    assert "no more" in (state.message or "")


async def test_cancelling_the_parents_run_on_the_server_stops_it(
    prefect_client: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_set, "CANCELLATION_POLL_SECONDS", 0.05)
    leaf = Leaf(blocking=frozenset({1}))
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        task = asyncio.create_task(parent.execute(toy.inline(3, ONE)))
        await leaf.blocked.wait()
        await prefect_client.set_flow_run_state(parent.run.id, Cancelling(), force=True)
        with pytest.raises(Abort, match="cancelled"):
            await task
        states = await toy.states()
    assert states == {0: [COMPLETED], 1: [CANCELLED], 2: [CANCELLED]}
    assert (await parent.state()).is_cancelled()


async def test_a_server_that_does_not_answer_is_no_cancellation(
    prefect_client: PrefectClient, monkeypatch: pytest.MonkeyPatch, wire: Wire
) -> None:
    monkeypatch.setattr(run_set, "CANCELLATION_POLL_SECONDS", 0.01)
    leaf = Leaf(blocking=frozenset({0}))
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        task = asyncio.create_task(parent.execute(toy.inline(1)))
        await leaf.blocked.wait()
        before = len(wire.about(parent.run.id))
        wire.disturb(f"flow_runs/{parent.run.id}", *[refuse_connection] * 8)

        async def asked_often() -> bool:
            return len(wire.about(parent.run.id)) > before + 8

        await until(asked_often)
        leaf.gate.set()
        assert (await task).is_completed()
    assert parent.run_set.counts() == {Outcome.COMPLETED: 1}


async def never_ending(
    toy: Toy, parent: Parent, body: Body, open_jobs: int
) -> asyncio.Task[object]:
    """Start a parent and wait until so many jobs have been created."""
    task: asyncio.Task[object] = asyncio.create_task(parent.execute(body))

    async def created() -> bool:
        return len(await toy.runs()) == open_jobs

    await until(created)
    return task


@pytest.mark.slow
async def test_more_than_a_hundred_jobs_are_cancelled_with_their_parent(
    prefect_client: PrefectClient,
) -> None:
    """Prefect itself would reach the first hundred."""
    async with deployed(prefect_client, Leaf(), pooled=True) as toy:
        parent = await new_parent(prefect_client)
        policy = FanOutPolicy(max_in_flight=105, poll_seconds=0.05)
        task = await never_ending(toy, parent, toy.jobs(105, policy), 105)
        await stop(task)
        assert await states_of(toy) == {CANCELLED: 105}


async def test_a_job_that_runs_is_left_to_its_worker_to_end(prefect_client: PrefectClient) -> None:
    leaf = Leaf(blocking=frozenset({0, 1}))
    async with deployed(prefect_client, leaf, pooled=True) as toy:
        parent = await new_parent(prefect_client)
        policy = FanOutPolicy(max_in_flight=2, poll_seconds=0.05)
        async with working(Worker(toy)):
            task = asyncio.create_task(parent.execute(toy.jobs(3, policy)))
            await until(both_blocked(leaf))
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

            async def ended() -> bool:
                return await states_of(toy) == {CANCELLED: 2}

            await until(ended)


async def test_a_job_that_never_begins_is_ended_after_a_while(
    prefect_client: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when the run is left to a supervisor that it will never have."""
    monkeypatch.setattr(runs, "UNBEGUN_SECONDS", 0.05)
    async with deployed(prefect_client, Leaf(), pooled=True) as toy:
        parent = await new_parent(prefect_client)
        policy = FanOutPolicy(max_in_flight=2, poll_seconds=0.05)
        task = await never_ending(toy, parent, toy.jobs(2, policy), 2)
        (waits,), (works,) = (await toy.runs()).values()
        # A worker has made a Job of each; for one of them no node has room.
        for run in (waits, works):
            await prefect_client.set_flow_run_state(run.id, Pending())
            await prefect_client.update_flow_run(run.id, infrastructure_pid="a-cluster:a-job")
        await prefect_client.set_flow_run_state(works.id, Running())
        await stop(task)
        found = await runs.read_runs(prefect_client, [waits.id, works.id])
    assert found[waits.id].state_type is CANCELLED
    assert found[works.id].state_type is StateType.CANCELLING


@pytest.mark.parametrize("signal", [False, True], ids=["every-task-cancelled", "signal"])
async def test_a_parent_stopped_again_while_it_cancels_begins_again(
    prefect_client: PrefectClient, wire: Wire, monkeypatch: pytest.MonkeyPatch, *, signal: bool
) -> None:
    """It sees that its run is cancelled, and then the signal for its process arrives."""
    monkeypatch.setattr(runs, "UNBEGUN_SECONDS", 0.05)

    async def stopped_again(request: httpx.Request, send: Send) -> httpx.Response:
        if signal:
            raise TerminationSignal(SIGTERM)
        task.cancel()
        return await send()

    async with deployed(prefect_client, Leaf(), pooled=True) as toy:
        parent = await new_parent(prefect_client)
        policy = FanOutPolicy(max_in_flight=1, poll_seconds=60)
        task = await never_ending(toy, parent, toy.jobs(1, policy), 1)
        ((run,),) = (await toy.runs()).values()
        await prefect_client.set_flow_run_state(run.id, Pending())
        await prefect_client.update_flow_run(run.id, infrastructure_pid="a-cluster:a-job")
        # What follows the first request of the clean-up is its look at what that has done.
        wire.disturb("flow_runs/filter", stopped_again)
        await stop(task)
        assert await states_of(toy) == {CANCELLED: 1}


async def test_a_signal_that_meets_the_watcher_stops_its_parent(
    prefect_client: PrefectClient, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal raises where the process happens to be; in a task of its own, for nobody."""
    monkeypatch.setattr(run_set, "CANCELLATION_POLL_SECONDS", 0.05)

    async def terminate(request: httpx.Request, send: Send) -> httpx.Response:
        raise TerminationSignal(SIGTERM)

    leaf = Leaf(blocking=frozenset({0}))
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        task = asyncio.create_task(parent.execute(toy.inline(2, ONE)))
        await leaf.blocked.wait()
        wire.disturb(f"flow_runs/{parent.run.id}", terminate)
        await asyncio.wait([task], timeout=30)
        assert task.cancelled()
        assert await states_of(toy) == {CANCELLED: 2}


async def test_jobs_of_an_earlier_execution_are_cancelled_too(
    prefect_client: PrefectClient, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retried parent that is stopped before it has looked at all its children."""
    async with deployed(prefect_client, Leaf(), pooled=True) as toy:
        parent = await new_parent(prefect_client)
        policy = FanOutPolicy(max_in_flight=3, poll_seconds=0.05)
        task = await never_ending(toy, parent, toy.jobs(3, policy), 3)
        # Its process is killed: it cannot clean up.
        wire.disturb_always(BULK_SET_STATE, refuse_connection)
        with monkeypatch.context() as killed:
            killed.setattr(loop, "CLEAN_UP_SECONDS", 0.0)
            await stop(task)
        assert await states_of(toy) == {StateType.SCHEDULED: 3}

        wire.allow()
        one = FanOutPolicy(max_in_flight=1, poll_seconds=0.05)
        asked = len(wire.requests)
        task = asyncio.create_task(parent.execute(toy.jobs(3, one)))

        async def watching() -> bool:
            return sum("filter" in r.url.path for r in wire.requests[asked:]) > 2

        await until(watching)
        await stop(task)
        assert await states_of(toy) == {CANCELLED: 3}
