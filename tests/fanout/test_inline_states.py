"""The states that a run which executes in its parent's process goes through."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType

from fanout import FanOutPolicy, Outcome
from tests.fanout.toy import Leaf, deployed, new_parent, patient_leaf
from tests.fanout.wire import Wire

COMPLETED = StateType.COMPLETED


async def history(client: PrefectClient, run: FlowRun) -> list[StateType]:
    """The states that a run went through, first to last."""
    reply = await client.request("GET", "/flow_run_states/", params={"flow_run_id": str(run.id)})
    states = [State[Any].model_validate(state) for state in reply.json()]
    return [state.type for state in sorted(states, key=lambda state: state.timestamp)]


@pytest.mark.parametrize(("count", "waits"), [(3, False), (4, True)])
async def test_where_none_has_to_wait_they_are_running_from_the_start(
    prefect_client: PrefectClient, wire: Wire, count: int, *, waits: bool
) -> None:
    leaf = Leaf()
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        wire.requests.clear()
        await parent.execute(toy.inline(count, FanOutPolicy(max_in_flight=3)))
        changes = wire.counts()["POST /api/flow_runs/{id}/set_state"] - 2  # the parent's
        on_server = [run for (run,) in (await toy.runs()).values()]
    assert changes == (2 if waits else 1) * count
    waited = [StateType.PENDING] if waits else []
    for run in on_server:
        assert await history(prefect_client, run) == [*waited, StateType.RUNNING, COMPLETED]
        assert run.run_count == 1
        assert run.start_time is not None
        assert run.expected_start_time is not None
    assert set(leaf.calls.values()) == {1}


async def test_a_run_that_is_tried_again_says_that_it_runs_again(
    prefect_client: PrefectClient,
) -> None:
    """What is not asked of the server is only the first start of a run that was created Running."""
    leaf = Leaf()

    async def fails_once(item: int) -> int:
        done = await leaf(item)
        if leaf.calls[item] == 1:
            raise ValueError(f"item {item} is bad for now")
        return done

    async with deployed(prefect_client, fails_once, patient_leaf) as toy:
        parent = await new_parent(prefect_client)
        await parent.execute(toy.inline(1))
        ((run,),) = (await toy.runs()).values()
        states = await history(prefect_client, run)
    assert parent.run_set.counts() == {Outcome.COMPLETED: 1}
    assert states == [
        StateType.RUNNING,
        StateType.SCHEDULED,
        StateType.RUNNING,
        COMPLETED,
    ]
    assert run.run_count == 2
    assert leaf.calls == {0: 2}
