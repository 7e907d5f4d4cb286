"""A parent's flow run that is executed again finds what its earlier execution left behind."""

from __future__ import annotations

from collections.abc import Sequence

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State, StateType
from prefect.states import Cancelled, Pending, Running

from fanout import Child, FanOutPolicy, Outcome, RunSet
from tests.fanout.toy import Leaf, deployed, middle, new_parent
from tests.fanout.wire import BULK_CREATE, Wire

COMPLETED, FAILED, CRASHED = StateType.COMPLETED, StateType.FAILED, StateType.CRASHED


async def test_only_what_did_not_complete_is_done_again(
    prefect_client: PrefectClient, wire: Wire
) -> None:
    leaf = Leaf(failing=frozenset({1}))
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(3))
        wire.requests.clear()
        leaf.failing = frozenset()
        await parent.execute(toy.inline(3))
        states = await toy.states()

    assert states == {0: [COMPLETED], 1: [FAILED, COMPLETED], 2: [COMPLETED]}
    assert leaf.calls == {0: 1, 1: 2, 2: 1}
    assert [len(body) for body in wire.bodies(BULK_CREATE)] == [1]
    first, second = parent.run_sets
    assert first.results[1].outcome is Outcome.FAILED
    assert [(r.outcome, r.attempts) for r in second.results] == [
        (Outcome.COMPLETED, 1),
        (Outcome.COMPLETED, 2),
        (Outcome.COMPLETED, 1),
    ]
    assert second.results[0].flow_run_id == first.results[0].flow_run_id
    assert second.results[1].flow_run_id != first.results[1].flow_run_id


async def test_what_was_under_way_is_taken_over(prefect_client: PrefectClient) -> None:
    """Three children of a process that was killed: one not yet started, one running, one done."""
    leaf = Leaf()
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(4))
        left: dict[int, State[None]] = {0: Pending(), 1: Running(), 2: Cancelled()}
        for item, state in left.items():
            run = await toy.latest(item)
            await prefect_client.set_flow_run_state(run.id, state, force=True)
        leaf.calls.clear()
        await parent.execute(toy.inline(4))
        runs = await toy.runs()

    assert {item: [run.state_type for run in attempts] for item, attempts in runs.items()} == {
        0: [COMPLETED],
        1: [CRASHED, COMPLETED],
        2: [StateType.CANCELLED, COMPLETED],
        3: [COMPLETED],
    }
    lost = runs[1][0].state
    assert lost is not None
    assert lost.message == "The process that executed it is gone."
    assert leaf.calls == {0: 1, 1: 1, 2: 1}
    assert [result.attempts for result in parent.run_set.results] == [1, 2, 2, 1]
    assert parent.run_set.counts() == {Outcome.COMPLETED: 4}


async def test_a_completed_child_whose_work_is_gone_is_done_again(
    prefect_client: PrefectClient,
) -> None:
    leaf = Leaf()
    asked: list[list[str]] = []

    def there(children: Sequence[Child]) -> set[str]:
        asked.append([child.key for child in children])
        return {"key:0"}

    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(2, satisfied=there))
        assert not asked, "nobody asks about a run that has just completed"
        await parent.execute(toy.inline(2, satisfied=there))
        states = await toy.states()
    assert asked == [["key:0", "key:1"]], "once about all: the answer may take reading every result"
    assert leaf.calls == {0: 1, 1: 2}
    assert states == {0: [COMPLETED], 1: [COMPLETED, COMPLETED]}
    assert parent.run_set.counts() == {Outcome.COMPLETED: 2}


async def test_crashes_are_counted_afresh(prefect_client: PrefectClient) -> None:
    leaf = Leaf(crashing={0: 3})
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        policy = FanOutPolicy(max_attempts=2)
        await parent.execute(toy.inline(1, policy))
        await parent.execute(toy.inline(1, policy))
        states = await toy.states()
    first, second = parent.run_sets
    assert (first.results[0].outcome, first.results[0].attempts) == (Outcome.CRASHED, 2)
    assert (second.results[0].outcome, second.results[0].attempts) == (Outcome.COMPLETED, 4)
    assert states == {0: [CRASHED, CRASHED, CRASHED, COMPLETED]}


async def test_another_parent_has_children_of_its_own(prefect_client: PrefectClient) -> None:
    leaf = Leaf()
    async with deployed(prefect_client, leaf) as toy:
        one, other = await new_parent(prefect_client), await new_parent(prefect_client)
        await one.execute(toy.inline(2))
        await other.execute(toy.inline(2))
    assert leaf.calls == {0: 2, 1: 2}
    ids = {r.flow_run_id for parent in (one, other) for r in parent.run_set.results}
    assert len(ids) == 4


async def test_a_parent_may_want_other_children_the_next_time(
    prefect_client: PrefectClient,
) -> None:
    leaf = Leaf()
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(1))
        await parent.execute(toy.inline(3))
    assert leaf.calls == {0: 1, 1: 1, 2: 1}
    assert [r.child.key for r in parent.run_set.results] == ["key:0", "key:1", "key:2"]


async def test_a_child_that_fans_out_finds_its_own_children_again(
    prefect_client: PrefectClient,
) -> None:
    leaf = Leaf(failing=frozenset({1}))
    async with deployed(prefect_client, leaf) as leaves:

        async def fan_out_leaves(item: int) -> dict[Outcome, int]:
            found = await leaves.inline(2)()
            assert isinstance(found, RunSet)
            return found.counts()

        async with deployed(prefect_client, fan_out_leaves, middle) as middles:
            parent = await new_parent(prefect_client)
            await parent.execute(middles.inline(1))
            again = await middles.latest(0)
            await prefect_client.set_flow_run_state(again.id, Pending(), force=True)
            leaf.failing = frozenset()
            await parent.execute(middles.inline(1))
        states = await leaves.states()
    assert parent.run_set.results[0].flow_run_id == again.id
    assert parent.run_set.results[0].value == {Outcome.COMPLETED: 2}
    assert states == {0: [COMPLETED], 1: [FAILED, COMPLETED]}
