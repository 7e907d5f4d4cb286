"""What Prefect does not document and this project relies on: each fails when Prefect changes it."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
from typing import Any
from uuid import uuid4

from prefect import Flow, flow, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentFlowRunCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, FlowRunPolicy, StateType
from prefect.events import emit_event
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.states import Cancelling, Completed, Pending, Running, to_state_create

from fanout.prefect_engine import bulk, execution
from fanout.prefect_engine.bulk import Refusal
from fanout.prefect_engine.context import current_flow_run, engine_client
from fanout.prefect_engine.deployments import describe_parameters, flow_of, parameters_of
from fanout.prefect_engine.inline import execute, inline_client, is_nested, retry_policy
from fanout.prefect_engine.job_process import RUN_ID, WATCHED
from tests.fanout.toy import (
    LEAF,
    Leaf,
    Toy,
    deployed,
    named,
    new_parent,
    parent,
    patient_leaf,
    quiet_leaf,
)
from tests.fanout.wire import Wire

SET_STATE = "POST /api/flow_runs/{id}/set_state"


def request(toy: Toy, item: object = 1, **more: Any) -> DeploymentFlowRunCreate:
    return DeploymentFlowRunCreate(
        name="a leaf",
        parameters={"body": toy.body, "item": item},
        tags=["of-a-run"],
        labels={"a": "label"},
        idempotency_key=uuid4().hex,
        state=to_state_create(Running()),
        empirical_policy=retry_policy(LEAF),
        **more,
    )


async def created(toy: Toy, asked: DeploymentFlowRunCreate) -> FlowRun:
    (run_id,) = await bulk.ask_to_create(toy.client, toy.deployment_id, [asked])
    assert not isinstance(run_id, Refusal)
    return await toy.client.read_flow_run(run_id)


class TestBulk:
    """The routes for many runs, and their answers item by item."""

    async def test_a_run_whose_key_is_known_is_the_answer_to_asking_again(
        self, prefect_client: PrefectClient
    ) -> None:
        async with deployed(prefect_client, Leaf()) as toy:
            asked = request(toy)
            assert (await created(toy, asked)).id == (await created(toy, asked)).id

    async def test_an_item_that_can_never_be_created_says_so_beside_the_others(
        self, prefect_client: PrefectClient
    ) -> None:
        async with deployed(prefect_client, Leaf()) as toy:
            asked = [request(toy), request(toy, "no number")]
            good, bad = await bulk.ask_to_create(toy.client, toy.deployment_id, asked)
        assert not isinstance(good, Refusal)
        assert isinstance(bad, Refusal)
        assert not bad.transient, bad.reason

    async def test_a_new_run_is_on_the_server_as_it_is_said_to_be(
        self, prefect_client: PrefectClient
    ) -> None:
        """All that the engine, or a fan-out, looks at in a run that it need not read."""
        fields = {
            "id", "flow_id", "deployment_id", "name", "parameters", "state_type",
            "empirical_policy", "idempotency_key", "parent_task_run_id",
        }  # fmt: skip
        async with deployed(prefect_client, Leaf()) as toy:
            link = await bulk.link_task_run(
                toy.client, (await new_parent(toy.client)).run, toy.deployment
            )
            asked = request(toy, parent_task_run_id=link)
            run = await created(toy, asked)
            target = await toy.client.read_deployment(toy.deployment_id)
        said = bulk.as_created(run.id, asked, Running(), target)
        assert {f: getattr(said, f) for f in fields} == {f: getattr(run, f) for f in fields}
        assert sorted(said.tags) == sorted(run.tags)
        assert said.labels.items() <= run.labels.items()

    async def test_a_state_is_answered_for_each_run_found_and_refused_for_none_unfound(
        self, prefect_client: PrefectClient
    ) -> None:
        async with deployed(prefect_client, Leaf()) as toy:
            run = await created(toy, request(toy))
            wanted = FlowRunFilter(id=FlowRunFilterId(any_=[run.id, uuid4()]))
            (answer,) = await bulk.ask_to_move(
                toy.client, wanted, Completed(message="by us"), force=False
            )
            after = await toy.client.read_flow_run(run.id)
        assert not bulk.is_fault(answer)
        assert after.state is not None
        assert (after.state.type, after.state.message) == (StateType.COMPLETED, "by us")

    async def test_one_task_run_of_a_parent_stands_for_all_its_children(
        self, prefect_client: PrefectClient
    ) -> None:
        async with deployed(prefect_client, Leaf()) as toy:
            run = (await new_parent(toy.client)).run
            links = {await bulk.link_task_run(toy.client, run, toy.deployment) for _ in range(2)}
            other = await bulk.link_task_run(toy.client, run, "another/deployment")
        assert len(links) == 1
        assert other not in links


class TestContext:
    """The context in which the engine executes a flow."""

    async def test_a_flow_finds_its_run_and_its_engines_client(
        self, prefect_client: PrefectClient
    ) -> None:
        seen: list[Any] = []

        async def look() -> None:
            seen.extend([current_flow_run(), engine_client(), engine_client(), is_nested()])

        assert current_flow_run() is None
        toy = await new_parent(prefect_client)
        await toy.execute(look)
        run, client, again, nested = seen
        assert run.id == toy.run.id
        assert run.run_count == 1
        assert client is again
        assert client.api_url == prefect_client.api_url
        assert not nested


class TestInline:
    """Which requests the engine makes for a run, and where it finds its client."""

    async def test_a_run_that_was_created_running_takes_one_request(
        self, prefect_client: PrefectClient, wire: Wire
    ) -> None:
        """The engine's first read, its update and its start are answered from memory."""
        async with deployed(prefect_client, Leaf(), quiet_leaf) as toy:
            run = await created(toy, request(toy, 4))
            async with inline_client(prefect_client) as client:
                # A client's first request asks for a token.
                await execute(quiet_leaf, await created(toy, request(toy)), client)
                wire.requests.clear()
                state, value = await execute(quiet_leaf, run, client)
                sent = wire.counts()
        assert value == 40
        assert state is not None
        assert state.is_completed()
        assert sent == {SET_STATE: 1}

    async def test_no_thread_is_started_for_a_run(self, prefect_client: PrefectClient) -> None:
        """Neither for heartbeats nor for the watch over suspension of a deployment's runs."""
        threads: list[set[str]] = []

        async def look(item: int) -> int:
            threads.append({thread.name for thread in threading.enumerate()})
            return item

        async with deployed(prefect_client, look) as toy, inline_client(prefect_client) as client:
            for _ in range(2):  # the first starts what all share
                await execute(LEAF, await created(toy, request(toy)), client)
        first, second = threads
        assert second <= first

    async def test_the_engines_inside_use_its_client(self, prefect_client: PrefectClient) -> None:
        found: list[Any] = []

        async def look(item: int) -> int:
            found.extend([engine_client(), is_nested()])
            return item

        async with deployed(prefect_client, look) as toy, inline_client(prefect_client) as client:
            await execute(LEAF, await created(toy, request(toy)), client)
            async with inline_client(prefect_client) as inner:
                assert inner is client
        assert found == [client, True]

    async def test_the_retries_with_which_a_run_is_created_are_those_that_the_engine_writes(
        self, prefect_client: PrefectClient
    ) -> None:
        async with deployed(prefect_client, Leaf(), patient_leaf) as toy:
            run = await toy.client.create_flow_run_from_deployment(
                toy.deployment_id, parameters={"body": toy.body, "item": 1}, state=Pending()
            )
            await execution.run_to_end(patient_leaf, run)
            written = (await toy.client.read_flow_run(run.id)).empirical_policy
        ours = retry_policy(patient_leaf)
        assert isinstance(written, FlowRunPolicy)
        assert (written.retries, written.retry_delay) == (ours.retries, ours.retry_delay) == (1, 0)


class TestExecution:
    """The flow engine called with a run that exists, and its threads."""

    async def test_a_run_that_is_being_cancelled_before_it_begins_does_not_begin(
        self, prefect_client: PrefectClient
    ) -> None:
        leaf = Leaf()
        async with deployed(prefect_client, leaf) as toy:
            run = await created(toy, request(toy))
            await toy.client.set_flow_run_state(run.id, Cancelling(), force=True)
            state = await execution.run_to_end(LEAF, run)
        assert state is None or not state.is_final()
        assert not leaf.calls

    async def test_logs_are_on_the_server_once_they_are_delivered(
        self, prefect_client: PrefectClient
    ) -> None:
        async def speak() -> None:
            get_run_logger().warning("said before the end")
            emit_event("toy.spoke", resource={"prefect.resource.id": "toy"})

        with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}), named(speak) as body:
            run = await prefect_client.create_flow_run(
                parent, parameters={"body": body}, state=Pending()
            )
            await execution.run_to_end(parent, run)
            async with asyncio.timeout(60):
                await execution.deliver()
        logs = await prefect_client.read_logs(
            LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
        )
        assert "said before the end" in [log.message for log in logs]
        assert logging.WARNING in [log.level for log in logs]


def summed(left: int, right: int = 2) -> int:
    """Add.

    To show a docstring with a body.
    """
    return left + right


class TestDeployments:
    """How a flow is loaded, and its parameters become the UI's form."""

    def test_an_entrypoint_of_a_module_names_a_flow(self) -> None:
        found: Flow[..., Any] = flow_of("tests.fanout.toy.leaf")
        assert found.name == "toy-leaf"
        assert parameters_of(found)["properties"]["item"]["type"] == "integer"

    def test_the_form_shows_what_the_docstring_says_of_a_parameter(self) -> None:
        describe_parameters(summed, {"left": "What is added to.", "right": "What is added."})
        schema = parameters_of(flow(summed))
        described = {name: p.get("description") for name, p in schema["properties"].items()}
        assert described == {"left": "What is added to.", "right": "What is added."}
        assert (summed.__doc__ or "").startswith("Add.\n")


class TestJobProcess:
    """The engine as a program, and the variables with which a worker starts it."""

    async def test_it_executes_the_run_that_the_environment_names(
        self, prefect_client: PrefectClient
    ) -> None:
        program = (
            "from fanout.prefect_engine.job_process import *; print(is_watched()); run_engine()"
        )
        entrypoint = "tests.fanout.toy.constant"
        run = await prefect_client.create_flow_run(flow_of(entrypoint), state=Pending())
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", program, entrypoint],
            env={**os.environ, RUN_ID: str(run.id), WATCHED: "false"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["True"]
        after = await prefect_client.read_flow_run(run.id)
        assert after.state_type is StateType.COMPLETED

    def test_a_worker_names_the_run_and_that_it_watches(self) -> None:
        """Where Prefect's process worker sets both, and where the engine reads them."""
        from prefect import flow_engine  # noqa: PLC0415 - read, not used
        from prefect.runner import _starter_engine  # noqa: PLC0415 - read, not used

        for module in (flow_engine, _starter_engine):
            assert module.__file__ is not None
            with open(module.__file__, encoding="utf-8") as file:  # noqa: PTH123 - a module's own
                source = file.read()
            assert RUN_ID in source
            assert WATCHED in source
