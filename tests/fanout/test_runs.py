"""The REST calls against a real server, over a connection that loses, refuses and delays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentFlowRunCreate
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Cancelled, Cancelling, Pending, Running, Scheduled, to_state_create

from fanout import runs
from fanout.prefect_engine import bulk
from fanout.prefect_engine.bulk import Refusal
from tests.fanout.toy import Leaf, Toy, deployed, new_parent
from tests.fanout.wire import (
    BULK_CREATE,
    BULK_SET_STATE,
    Fault,
    Wire,
    answer,
    fail_items,
    lose_reply,
    no_client_retries,
    refuse_connection,
)


@pytest.fixture
async def toy(prefect_client: PrefectClient) -> AsyncIterator[Toy]:
    async with deployed(prefect_client, Leaf()) as toy:
        yield toy


def requests(
    toy: Toy, count: int, link: UUID | None = None, *, scheduled: bool = False
) -> list[DeploymentFlowRunCreate]:
    nonce = uuid4()
    return [
        DeploymentFlowRunCreate(
            name=f"leaf {item}",
            parameters={"body": toy.body, "item": item},
            state=to_state_create(Scheduled() if scheduled else Pending()),
            idempotency_key=f"{nonce}:1:{item}",
            parent_task_run_id=link,
        )
        for item in range(count)
    ]


async def check_each_created_once(toy: Toy, created: Sequence[UUID | Refusal]) -> None:
    """The server has exactly the runs whose ids came back, in the order asked for."""
    found = await toy.runs()
    assert [[run.id for run in found[item]] for item in range(len(created))] == [
        [one] for one in created
    ]


async def test_a_run_has_all_that_was_asked_for(toy: Toy) -> None:
    (request,) = requests(toy, 1)
    (run_id,) = await runs.create_runs(toy.client, toy.deployment_id, [request])
    assert isinstance(run_id, UUID)
    run = (await runs.read_runs(toy.client, [run_id]))[run_id]
    assert run.name == "leaf 0"
    assert run.parameters == {"body": toy.body, "item": 0}
    assert run.tags == ["toy"]
    assert run.state_type is StateType.PENDING
    assert run.deployment_id == toy.deployment_id
    assert run.idempotency_key == request.idempotency_key


async def test_more_runs_than_one_request_takes(toy: Toy, wire: Wire) -> None:
    created = await runs.create_runs(toy.client, toy.deployment_id, requests(toy, 101))
    assert [len(body) for body in wire.bodies(BULK_CREATE)] == [100, 1]
    await check_each_created_once(toy, created)


async def test_a_lost_reply_neither_loses_nor_doubles_a_run(toy: Toy, wire: Wire) -> None:
    wire.disturb(BULK_CREATE, lose_reply, lose_reply)
    with no_client_retries():
        created = await runs.create_runs(toy.client, toy.deployment_id, requests(toy, 5))
    assert [len(body) for body in wire.bodies(BULK_CREATE)] == [5, 5, 5]
    await check_each_created_once(toy, created)


async def test_only_the_items_that_failed_are_asked_for_again(toy: Toy, wire: Wire) -> None:
    wire.disturb(BULK_CREATE, fail_items(every=3), fail_items(every=2))
    created = await runs.create_runs(toy.client, toy.deployment_id, requests(toy, 7))
    asked = [[item["parameters"]["item"] for item in body] for body in wire.bodies(BULK_CREATE)]
    assert asked == [[0, 1, 2, 3, 4, 5, 6], [0, 3, 6], [0, 6]]
    await check_each_created_once(toy, created)


@pytest.mark.parametrize(
    "fault",
    [answer(503), answer(500), answer(429, {"Retry-After": "0"}), answer(408), refuse_connection],
    ids=["503", "500", "429", "408", "refused"],
)
async def test_a_fault_that_passes_is_waited_out(toy: Toy, wire: Wire, fault: Fault) -> None:
    wire.disturb(BULK_CREATE, fault, fault)
    with no_client_retries():
        created = await runs.create_runs(toy.client, toy.deployment_id, requests(toy, 2))
    assert len(wire.bodies(BULK_CREATE)) == 3
    await check_each_created_once(toy, created)


async def test_the_client_waits_as_long_as_an_overloaded_server_says(
    toy: Toy, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("prefect.client.base.anyio.sleep", note)
    wire.disturb(BULK_CREATE, answer(429, {"Retry-After": "30"}))
    created = await runs.create_runs(toy.client, toy.deployment_id, requests(toy, 2))
    assert len(waits) == 1
    assert waits[0] >= 30
    await check_each_created_once(toy, created)


async def test_a_request_that_can_never_succeed_is_reported_and_not_repeated(
    toy: Toy, wire: Wire
) -> None:
    wanted = requests(toy, 3)
    wanted[1].parameters = {"body": toy.body, "item": "not a number"}
    first, refused, last = await runs.create_runs(toy.client, toy.deployment_id, wanted)
    assert isinstance(refused, Refusal)
    assert refused.reason.startswith("Parameter validation failed")
    assert "not a number" in refused.reason
    assert [type(first), type(last)] == [UUID, UUID]
    assert len(wire.bodies(BULK_CREATE)) == 1
    assert sorted(await toy.runs()) == [0, 2]


async def test_a_server_that_keeps_failing_an_item_is_given_up(toy: Toy, wire: Wire) -> None:
    wire.disturb_always(BULK_CREATE, fail_items(every=2, error="the disk is full"))
    created = await runs.create_runs(toy.client, toy.deployment_id, requests(toy, 2))
    assert [type(one) for one in created] == [Refusal, UUID]
    assert isinstance(created[0], Refusal)
    assert "the disk is full" in created[0].reason
    assert len(wire.bodies(BULK_CREATE)) == runs.ROUNDS


async def test_a_server_that_is_gone_is_an_error(toy: Toy, wire: Wire) -> None:
    wire.disturb_always(BULK_CREATE, refuse_connection)
    with no_client_retries(), pytest.raises(httpx.ConnectError):
        await runs.create_runs(toy.client, toy.deployment_id, requests(toy, 2))
    assert len(wire.bodies(BULK_CREATE)) == runs.ROUNDS


async def test_a_deployment_that_is_gone_is_an_error_at_once(toy: Toy, wire: Wire) -> None:
    with pytest.raises(PrefectHTTPStatusError, match="404"):
        await runs.create_runs(toy.client, uuid4(), requests(toy, 2))
    assert len(wire.bodies(BULK_CREATE)) == 1


async def created_ids(toy: Toy, wanted: list[DeploymentFlowRunCreate]) -> list[UUID]:
    created = await runs.create_runs(toy.client, toy.deployment_id, wanted)
    return [one for one in created if isinstance(one, UUID)]


async def test_more_runs_than_one_page_holds(
    toy: Toy, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "READ_LIMIT", 10)
    monkeypatch.setattr(bulk, "SET_STATE_LIMIT", 5)
    run = (await new_parent(toy.client)).run
    link = await runs.link_task_run(toy.client, run, toy.deployment)
    ids = await created_ids(toy, requests(toy, 20, link))
    assert len(ids) == 20

    everything = await runs.read_children(toy.client, link)
    assert sorted(child.id for child in everything) == sorted(ids)
    subflows = await runs.read_subflows(toy.client, run.id)
    assert sorted(child.id for child in subflows) == sorted(ids)
    assert set(await runs.read_runs(toy.client, ids)) == set(ids)

    assert await runs.read_ended(toy.client, ids) == {}
    cancelled: State[None] = Cancelled(message="enough")
    await runs.set_states(toy.client, ids[:11], cancelled, only=[StateType.PENDING], force=True)
    assert len(wire.bodies(BULK_SET_STATE)) == 3
    ended = await runs.read_ended(toy.client, ids)
    assert set(ended) == set(ids[:11])
    assert {run.state.message for run in ended.values() if run.state} == {"enough"}


async def test_the_limits_are_the_most_that_the_server_accepts(toy: Toy) -> None:
    found = await toy.client.read_flow_runs(limit=runs.READ_LIMIT)
    assert isinstance(found, list)
    with pytest.raises(PrefectHTTPStatusError, match="422"):
        await toy.client.read_flow_runs(limit=runs.READ_LIMIT + 1)

    too_many = [item.model_dump(mode="json") for item in requests(toy, bulk.CREATE_LIMIT + 1)]
    path = f"/deployments/{toy.deployment_id}/create_flow_run/bulk"
    with pytest.raises(PrefectHTTPStatusError, match="400"):
        await toy.client.request("POST", path, json=too_many)  # type: ignore[arg-type]

    body = {"state": {"type": "CANCELLED"}, "limit": bulk.SET_STATE_LIMIT + 1}
    with pytest.raises(PrefectHTTPStatusError, match="422"):
        await toy.client.request("POST", "/flow_runs/bulk_set_state", json=body)  # type: ignore[arg-type]


async def test_a_retried_parent_gets_the_same_link(toy: Toy) -> None:
    run = (await new_parent(toy.client)).run
    link = await runs.link_task_run(toy.client, run, toy.deployment)
    assert await runs.link_task_run(toy.client, run, toy.deployment) == link
    assert await runs.link_task_run(toy.client, run, "another/deployment") != link


async def test_a_state_is_set_only_where_it_was_meant(toy: Toy) -> None:
    ids = await created_ids(toy, requests(toy, 3))
    await toy.client.set_flow_run_state(ids[1], Running(), force=True)
    await runs.set_states(toy.client, ids[:2], Cancelled(), only=[StateType.PENDING], force=True)
    states = await toy.states()
    assert states == {0: [StateType.CANCELLED], 1: [StateType.RUNNING], 2: [StateType.PENDING]}


async def test_cancelling_ends_at_once_what_no_worker_has_taken(toy: Toy) -> None:
    ids = await created_ids(toy, requests(toy, 2, scheduled=True))
    await toy.client.set_flow_run_state(ids[0], Pending())
    await toy.client.set_flow_run_state(ids[0], Running())
    unfinished = [StateType.SCHEDULED, StateType.RUNNING]
    await runs.set_states(toy.client, ids, Cancelling(), only=unfinished, force=False)
    assert await toy.states() == {0: [StateType.CANCELLING], 1: [StateType.CANCELLED]}


@pytest.mark.parametrize("fault", [answer(503), lose_reply, refuse_connection])
async def test_a_state_is_set_although_the_connection_fails_once(
    toy: Toy, wire: Wire, fault: Fault
) -> None:
    ids = await created_ids(toy, requests(toy, 2))
    wire.disturb(BULK_SET_STATE, fault)
    with no_client_retries():
        await runs.set_states(toy.client, ids, Cancelled(), only=[StateType.PENDING], force=True)
    assert await toy.states() == {0: [StateType.CANCELLED], 1: [StateType.CANCELLED]}


async def test_a_state_that_the_database_did_not_take_is_set_again(toy: Toy, wire: Wire) -> None:
    ids = await created_ids(toy, requests(toy, 2))

    async def lock(request: httpx.Request, send: object) -> httpx.Response:
        details = {"type": "abort_details", "reason": "(OperationalError) database is locked"}
        results = [
            {"flow_run_id": str(one), "status": "ABORT", "state": None, "details": details}
            for one in ids
        ]
        return httpx.Response(200, json={"results": results}, request=request)

    wire.disturb(BULK_SET_STATE, lock)
    await runs.set_states(toy.client, ids, Cancelled(), only=[StateType.PENDING], force=True)
    assert await toy.states() == {0: [StateType.CANCELLED], 1: [StateType.CANCELLED]}


@pytest.mark.parametrize("read", [runs.read_ended, runs.read_runs], ids=["read_ended", "read_runs"])
async def test_a_read_is_repeated_when_the_connection_fails(
    toy: Toy, wire: Wire, read: object
) -> None:
    ids = await created_ids(toy, requests(toy, 1))
    await toy.client.set_flow_run_state(ids[0], Cancelled(), force=True)
    wire.disturb("flow_runs/filter", answer(502), refuse_connection)
    assert callable(read)
    with no_client_retries():
        found: dict[UUID, FlowRun] = await read(toy.client, ids)
    assert set(found) == set(ids)
