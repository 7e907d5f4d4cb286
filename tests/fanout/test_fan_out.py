"""Children executed in their parent's process, on a real server."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import Pause
from prefect.states import Cancelled, Cancelling, Paused

from fanout import (
    Child,
    FanOutPolicy,
    Outcome,
    Placement,
    Progress,
    RunSet,
    fan_out,
    inline_execution,
    latest_runs,
)
from fanout.decisions import idempotency_key
from fanout.prefect_engine import bulk
from tests.fanout.toy import Leaf, deployed, middle, new_parent, until
from tests.fanout.wire import BULK_CREATE, Wire, answer, fail_items, lose_reply

COMPLETED, FAILED, CRASHED = StateType.COMPLETED, StateType.FAILED, StateType.CRASHED


async def graph_nodes(client: PrefectClient, run: FlowRun) -> set[str]:
    """The ids of the flow runs in the graph that the UI draws of a run."""
    reply = await client.request("GET", f"/flow_runs/{run.id}/graph-v2")  # type: ignore[arg-type]
    nodes = reply.json()["nodes"]
    return {node["id"] for _, node in nodes if node["kind"] == "flow-run"}


async def test_every_child_is_a_run_of_its_own(prefect_client: PrefectClient) -> None:
    async with deployed(prefect_client, Leaf()) as toy:
        parent = await new_parent(prefect_client)
        assert (await parent.execute(toy.inline(5))).is_completed()
        on_server = await toy.runs()

    assert [result.value for result in parent.run_set.results] == [0, 10, 20, 30, 40]
    assert [result.child.key for result in parent.run_set.results] == [
        f"key:{item}" for item in range(5)
    ]
    for item, result in enumerate(parent.run_set.results):
        (run,) = on_server[item]
        assert (result.outcome, result.attempts) == (Outcome.COMPLETED, 1)
        assert result.flow_run_id == run.id
        assert run.state_type is COMPLETED
        assert run.name == f"leaf {item}"
        assert set(run.tags) == {"toy", f"item-{item}"}
        assert run.parameters == {"body": toy.body, "item": item}
        assert run.deployment_id == toy.deployment_id
        assert run.idempotency_key == idempotency_key(parent.run.id, f"key:{item}", 1)
        assert run.run_count == 1
        assert run.start_time is not None


async def test_a_deployments_own_parameters_are_an_inline_childs_too(
    prefect_client: PrefectClient,
) -> None:
    """Fails when `_as_created` takes what was asked for alone."""
    async with deployed(prefect_client, Leaf()) as toy:
        await prefect_client.update_deployment(
            toy.deployment_id, DeploymentUpdate(parameters={"item": 7})
        )
        parent = await new_parent(prefect_client)
        child = Child("key", "leaf", {"body": toy.body})
        await parent.execute(
            partial(
                fan_out,
                [child],
                deployment=toy.deployment,
                placement=Placement.INLINE,
                flow=toy.flow,
            )
        )
    assert [result.value for result in parent.run_set.results] == [70]


async def test_every_child_is_a_node_of_its_parents_graph(prefect_client: PrefectClient) -> None:
    async with deployed(prefect_client, Leaf(failing=frozenset({1}))) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(3))
    children = {str(result.flow_run_id) for result in parent.run_set.results}
    assert await graph_nodes(prefect_client, parent.run) == children
    assert len(children) == 3
    found = await prefect_client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent.run.id])
        )
    )
    assert {str(run.id) for run in found} == children


async def test_one_failing_child_stops_no_other(prefect_client: PrefectClient) -> None:
    leaf = Leaf(failing=frozenset({0, 2}))
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(4, FanOutPolicy(max_in_flight=1)))
        states = await toy.states()
    run_set = parent.run_set
    assert run_set.counts() == {Outcome.FAILED: 2, Outcome.COMPLETED: 2}
    assert [result.child.key for result in run_set.unfinished] == ["key:0", "key:2"]
    assert "item 2 is bad" in run_set.unfinished[1].message
    assert states == {0: [FAILED], 1: [COMPLETED], 2: [FAILED], 3: [COMPLETED]}
    assert set(leaf.calls.values()) == {1}


async def test_a_crashed_child_gets_another_run_until_it_is_enough(
    prefect_client: PrefectClient,
) -> None:
    leaf = Leaf(crashing={0: 1, 1: 99})
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(3, FanOutPolicy(max_attempts=2)))
        states = await toy.states()
    first, second, third = parent.run_set.results
    assert (first.outcome, first.attempts, first.value) == (Outcome.COMPLETED, 2, 0)
    assert (second.outcome, second.attempts, second.value) == (Outcome.CRASHED, 2, None)
    assert (third.outcome, third.attempts) == (Outcome.COMPLETED, 1)
    assert states == {0: [CRASHED, COMPLETED], 1: [CRASHED, CRASHED], 2: [COMPLETED]}
    assert leaf.calls == {0: 2, 1: 2, 2: 1}


async def test_a_crash_after_the_work_was_done_counts_as_done(
    prefect_client: PrefectClient,
) -> None:
    leaf = Leaf(crashing={0: 99, 1: 99})
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        done = {"key:0"}
        policy = FanOutPolicy(max_attempts=2)
        await parent.execute(toy.inline(2, policy, satisfied=lambda _: done))
    first, second = parent.run_set.results
    assert (first.outcome, first.attempts) == (Outcome.COMPLETED, 1)
    assert (second.outcome, second.attempts) == (Outcome.CRASHED, 2)
    assert leaf.calls == {0: 1, 1: 2}


async def test_even_the_last_crash_counts_as_done_when_the_work_is_there(
    prefect_client: PrefectClient,
) -> None:
    async with deployed(prefect_client, Leaf(crashing={0: 99})) as toy:
        parent = await new_parent(prefect_client)
        policy = FanOutPolicy(max_attempts=1)
        await parent.execute(
            toy.inline(1, policy, satisfied=lambda children: [c.key for c in children])
        )
    assert parent.run_set.counts() == {Outcome.COMPLETED: 1}


async def test_progress_is_told_of_every_end_in_order(prefect_client: PrefectClient) -> None:
    seen: list[tuple[int, int]] = []

    async def note(progress: Progress) -> None:
        seen.append((progress.done, progress.total))

    leaf = Leaf(failing=frozenset({1}), crashing={2: 1})
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(6, FanOutPolicy(max_in_flight=3), on_progress=note))
    assert seen == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize("max_in_flight", [1, 3])
async def test_no_more_children_than_allowed_are_in_flight(
    prefect_client: PrefectClient, max_in_flight: int
) -> None:
    leaf = Leaf(blocking=frozenset(range(7)))

    async def full() -> bool:
        return leaf.running >= max_in_flight

    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        policy = FanOutPolicy(max_in_flight=max_in_flight)
        task = asyncio.create_task(parent.execute(toy.inline(7, policy)))
        await until(full)
        for _ in range(10):  # time enough for one more to start
            await toy.states()
        leaf.gate.set()
        await task
    assert leaf.most_running == max_in_flight
    assert leaf.calls.total() == 7


async def test_children_of_more_than_one_batch(
    prefect_client: PrefectClient, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CREATE_LIMIT", 10)
    leaf = Leaf()
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        wire.requests.clear()
        await parent.execute(toy.inline(25, FanOutPolicy(max_in_flight=2)))
    assert [len(body) for body in wire.bodies(BULK_CREATE)] == [10, 10, 5]
    assert [result.value for result in parent.run_set.results] == [10 * i for i in range(25)]
    assert set(leaf.calls.values()) == {1}

    # Of its own each child has two changes of state; the bulk requests are for a batch each.
    assert wire.counts()["POST /api/flow_runs/{id}/set_state"] == 2 * 25 + 2  # the parent's
    assert len(wire.requests) <= 2 * 25 + 25, wire.counts()


@pytest.mark.parametrize("state", [Cancelled(), Cancelling()], ids=["cancelled", "cancelling"])
async def test_a_run_cancelled_before_it_starts_is_not_executed(
    prefect_client: PrefectClient, state: State[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_execution, "LOOK_SECONDS", 0.0)
    leaf = Leaf()

    async def cancel_next(item: int) -> int:
        if item == 0:
            await prefect_client.set_flow_run_state((await toy.latest(1)).id, state, force=True)
        return await leaf(item)

    async with deployed(prefect_client, cancel_next) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(3, FanOutPolicy(max_in_flight=1)))
        states = await toy.states()
    outcomes = [result.outcome for result in parent.run_set.results]
    assert outcomes == [Outcome.COMPLETED, Outcome.CANCELLED, Outcome.COMPLETED]
    assert leaf.calls == {0: 1, 2: 1}
    assert states[1] == [StateType.CANCELLED]


async def test_a_run_cancelled_while_it_executes_ends_cancelled(
    prefect_client: PrefectClient,
) -> None:
    async def cancel_itself(item: int) -> int:
        run = await toy.latest(item)
        await prefect_client.set_flow_run_state(run.id, Cancelling(), force=True)
        return item

    async with deployed(prefect_client, cancel_itself) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(1))
        states = await toy.states()
    assert parent.run_set.counts() == {Outcome.CANCELLED: 1}
    assert states == {0: [StateType.CANCELLED]}


async def test_a_run_paused_on_the_server_stops_no_other(
    prefect_client: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_execution, "LOOK_SECONDS", 0.0)
    leaf = Leaf()

    async def pause_next(item: int) -> int:
        if item == 0:
            await prefect_client.set_flow_run_state((await toy.latest(1)).id, Paused(), force=True)
        return await leaf(item)

    async with deployed(prefect_client, pause_next) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(3, FanOutPolicy(max_in_flight=1)))
    outcomes = [result.outcome for result in parent.run_set.results]
    assert outcomes == [Outcome.COMPLETED, Outcome.CANCELLED, Outcome.COMPLETED]
    assert leaf.calls == {0: 1, 2: 1}


@pytest.mark.slow
async def test_a_run_that_pauses_itself_stops_no_other(prefect_client: PrefectClient) -> None:
    async def pause(item: int) -> int:
        if item == 0:
            raise Pause(state=Paused())
        return item

    async with deployed(prefect_client, pause) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(2))
    assert [r.outcome for r in parent.run_set.results] == [Outcome.CANCELLED, Outcome.COMPLETED]


async def test_a_child_may_fan_out_in_the_same_process(prefect_client: PrefectClient) -> None:
    leaf = Leaf()
    async with deployed(prefect_client, leaf) as leaves:

        async def two_leaves(item: int) -> list[object]:
            children = [leaves.child(2 * item), leaves.child(2 * item + 1)]
            run_set = await fan_out(
                children,
                deployment=leaves.deployment,
                placement=Placement.INLINE,
                flow=leaves.flow,
            )
            return [result.value for result in run_set.results]

        async with deployed(prefect_client, two_leaves, middle) as middles:
            parent = await new_parent(prefect_client)
            await parent.execute(middles.inline(2, FanOutPolicy(max_in_flight=2)))

    assert [result.value for result in parent.run_set.results] == [[0, 10], [20, 30]]
    for item, result in enumerate(parent.run_set.results):
        assert result.flow_run_id is not None
        found = await latest_runs(result.flow_run_id)
        assert set(found) == {f"key:{2 * item}", f"key:{2 * item + 1}"}
        assert {run.state_type for run in found.values()} == {COMPLETED}
    assert set(await latest_runs(parent.run.id)) == {"key:0", "key:1"}


@pytest.mark.parametrize("max_in_flight", [1, 4])
async def test_faults_of_the_connection_cost_no_child(
    prefect_client: PrefectClient, wire: Wire, max_in_flight: int
) -> None:
    leaf = Leaf()
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        wire.disturb(BULK_CREATE, lose_reply, fail_items(every=2), answer(503))
        wire.disturb("/set_state", answer(429, {"Retry-After": "0"}), answer(503), lose_reply)
        wire.disturb("flow_runs/filter", answer(502), lose_reply)
        await parent.execute(toy.inline(4, FanOutPolicy(max_in_flight)))
        states = await toy.states()
    assert parent.run_set.counts() == {Outcome.COMPLETED: 4}
    assert states == {item: [COMPLETED] for item in range(4)}


async def test_a_lost_report_of_success_is_still_success(
    prefect_client: PrefectClient, wire: Wire
) -> None:
    leaf = Leaf()

    async def then_lose(item: int) -> int:
        wire.disturb("/set_state", lose_reply)
        return await leaf(item)

    async with deployed(prefect_client, then_lose) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(2, FanOutPolicy(max_in_flight=1)))
        states = await toy.states()
    assert parent.run_set.counts() == {Outcome.COMPLETED: 2}
    assert states == {0: [COMPLETED], 1: [COMPLETED]}
    assert leaf.calls == {0: 1, 1: 1}
    assert [result.value for result in parent.run_set.results] == [0, 10]


async def test_nothing_to_do_asks_the_server_nothing(
    prefect_client: PrefectClient, wire: Wire
) -> None:
    async with deployed(prefect_client, Leaf()) as toy:
        parent = await new_parent(prefect_client)
        wire.requests.clear()
        await parent.execute(toy.inline(0))
    assert parent.run_set == RunSet(())
    assert not [r for r in wire.requests if toy.deployment in r.url.path], wire.counts()
    assert wire.bodies(BULK_CREATE) == []
