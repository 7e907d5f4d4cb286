"""What a fan-out refuses, and what the server refuses of it."""

from __future__ import annotations

from functools import partial

import pytest
from prefect.client.orchestration import PrefectClient

from fanout import (
    Child,
    FanOutPolicy,
    Outcome,
    Placement,
    fan_out,
    latest_runs,
)
from tests.fanout.toy import Leaf, Parent, deployed, new_parent


async def test_wrong_parameters_fail_that_inline_child_alone_and_visibly(
    prefect_client: PrefectClient,
) -> None:
    async with deployed(prefect_client, Leaf()) as toy:
        wrong = Child("wrong", "wrong", {"body": toy.body, "item": "many"})
        parent = await new_parent(prefect_client)
        await parent.execute(
            partial(
                fan_out,
                [toy.child(0), wrong],
                deployment=toy.deployment,
                placement=Placement.INLINE,
                flow=toy.flow,
            )
        )
    done, failed = parent.run_set.results
    assert done.outcome is Outcome.COMPLETED
    assert (failed.outcome, failed.attempts) == (Outcome.FAILED, 1)
    assert "item" in failed.message
    assert failed.flow_run_id is not None


async def test_what_the_server_refuses_as_a_job_is_reported(prefect_client: PrefectClient) -> None:
    async with deployed(prefect_client, Leaf()) as toy:
        wrong = Child("wrong", "wrong", {"body": toy.body, "item": "many"})
        parent = await new_parent(prefect_client)
        await parent.execute(
            partial(fan_out, [wrong], deployment=toy.deployment, placement=Placement.JOB)
        )
    (refused,) = parent.run_set.results
    assert (refused.outcome, refused.flow_run_id) == (Outcome.NOT_CREATED, None)
    assert "many" in refused.message


async def raised_by(parent: Parent, **arguments: object) -> str:
    """The message with which a parent fails that uses `fan_out` wrongly."""
    usual = {"deployment": "toy-leaf/none", "placement": Placement.JOB}
    state = await parent.execute(partial(fan_out, **(usual | arguments)))  # type: ignore[arg-type]
    assert state.is_failed()
    return state.message or ""


async def test_wrong_use_is_refused_before_anything_is_created(
    prefect_client: PrefectClient,
) -> None:
    child = Child("a", "a", {})
    parent = await new_parent(prefect_client)
    assert "same key" in await raised_by(parent, children=[child, child])
    message = await raised_by(parent, children=[child], placement=Placement.INLINE)
    assert "placement='inline' and flow=None" in message
    assert "toy-leaf/none" in await raised_by(parent, children=[child])
    assert await latest_runs(parent.run.id) == {}


async def test_a_fan_out_needs_a_parent() -> None:
    with pytest.raises(RuntimeError, match="inside a flow run"):
        await fan_out([], deployment="a/b", placement=Placement.JOB)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_in_flight": 0}, "max_in_flight=0"),
        ({"max_in_flight": 201}, "max_in_flight=201"),
        ({"max_attempts": 0}, "max_attempts=0"),
    ],
)
def test_impossible_limits_are_refused(limits: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FanOutPolicy(**limits)
