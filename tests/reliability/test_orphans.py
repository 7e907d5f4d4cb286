"""Runs that executed inside a process which is gone are found and ended, and no others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentFlowRunCreate
from prefect.client.schemas.objects import State, StateType
from prefect.states import Completed, Crashed, Pending, Running, Scheduled, to_state_create

from fanout import end_orphans
from fanout.children import Placement
from fanout.decisions import idempotency_key
from fanout.orphans import GONE, PLACEMENT_LABEL, end_below
from fanout.runs import create_runs, link_task_run
from tests.fanout.conftest import _quick  # noqa: F401 - a fixture
from tests.fanout.toy import Leaf, Toy, deployed, new_parent

INLINE, JOB = Placement.INLINE, Placement.JOB
PENDING, RUNNING, SCHEDULED = StateType.PENDING, StateType.RUNNING, StateType.SCHEDULED
COMPLETED, CRASHED, CANCELLED = StateType.COMPLETED, StateType.CRASHED, StateType.CANCELLED


@pytest.fixture
async def toy(prefect_client: PrefectClient) -> AsyncIterator[Toy]:
    async with deployed(prefect_client, Leaf(), pooled=True) as toy:
        yield toy


async def parent_in(toy: Toy, state: State[None]) -> UUID:
    """A run without children, in this state."""
    parent = await new_parent(toy.client)
    await toy.client.set_flow_run_state(parent.run.id, state, force=True)
    return parent.run.id


async def child_in(toy: Toy, parent: UUID, placement: Placement, state: State[None]) -> UUID:
    """A run as a fan-out creates it, brought into this state by whoever executed it."""
    link = await link_task_run(toy.client, await toy.client.read_flow_run(parent), toy.deployment)
    started: State[None] = Pending() if placement is INLINE else Scheduled()
    request = DeploymentFlowRunCreate(
        parameters={"body": toy.body, "item": 0},
        state=to_state_create(started),
        idempotency_key=idempotency_key(parent, uuid4().hex, 1),
        parent_task_run_id=link,
        labels={PLACEMENT_LABEL: placement.value},
    )
    (made,) = await create_runs(toy.client, toy.deployment_id, [request])
    assert isinstance(made, UUID)
    if state.type is not started.type:
        await toy.client.set_flow_run_state(made, state)
    return made


async def states(toy: Toy, *run_ids: UUID) -> list[StateType | None]:
    return [(await toy.client.read_flow_run(run_id)).state_type for run_id in run_ids]


async def test_what_ran_inside_an_ended_parent_is_ended_at_every_depth(toy: Toy) -> None:
    """Fails when `end_orphans` stops after the first level: the leaves stay as they are."""
    killed = await parent_in(toy, Crashed())
    middle = await child_in(toy, killed, INLINE, Running())
    reached: list[State[None]] = [Pending(), Running(), Completed()]
    leaves = [await child_in(toy, middle, INLINE, state) for state in reached]
    assert await end_orphans() >= 3
    assert await states(toy, middle, *leaves) == [CRASHED, CRASHED, CRASHED, COMPLETED]
    state = (await toy.client.read_flow_run(leaves[0])).state
    assert state is not None
    assert state.message == GONE


async def test_what_somebody_may_still_execute_is_left_alone(toy: Toy) -> None:
    """Fails for each of the four when its condition is taken out of `_orphans`."""
    alive, killed = await parent_in(toy, Running()), await parent_in(toy, Crashed())
    of_a_living_parent = await child_in(toy, alive, INLINE, Pending())
    in_a_job = await child_in(toy, killed, JOB, Running())
    retried = await child_in(toy, killed, INLINE, Running())
    again = await child_in(toy, killed, INLINE, Running())
    retry: list[State[None]] = [Completed(), Scheduled(), Pending(), Running()]
    for run_id, states_then in ((retried, retry[:3]), (again, retry)):
        for state in states_then:
            await toy.client.set_flow_run_state(run_id, state)
    await end_orphans()
    kept = [of_a_living_parent, in_a_job, retried, again]
    assert await states(toy, *kept) == [PENDING, RUNNING, PENDING, RUNNING]


async def test_the_runs_of_a_parent_that_was_deleted_are_orphans(toy: Toy) -> None:
    """Fails when `_orphans` asks which parents have ended, not which are still going."""
    deleted = await parent_in(toy, Running())
    child = await child_in(toy, deleted, INLINE, Pending())
    await toy.client.delete_flow_run(deleted)
    await end_orphans()
    assert await states(toy, child) == [CRASHED]


async def test_below_a_killed_process_jobs_are_cancelled_and_the_rest_has_crashed(
    toy: Toy,
) -> None:
    """Fails when `end_below` treats jobs as inline runs: the waiting one ends Crashed."""
    killed = await parent_in(toy, Crashed())
    waiting = await child_in(toy, killed, JOB, Scheduled())
    middle = await child_in(toy, killed, INLINE, Running())
    leaf = await child_in(toy, middle, INLINE, Running())
    done = await child_in(toy, middle, INLINE, Completed())
    await end_below(toy.client, [killed])
    assert await states(toy, waiting, middle, leaf, done) == [
        CANCELLED,
        CRASHED,
        CRASHED,
        COMPLETED,
    ]
