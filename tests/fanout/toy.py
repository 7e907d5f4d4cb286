"""Toy flows whose body a test gives, their deployments, and a stand-in for a worker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from prefect import Flow, flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import AsyncClientContext
from prefect.flow_engine import run_flow_async
from prefect.states import Cancelled, Pending
from prefect.utilities.callables import parameter_schema

from fanout import Child, FanOutPolicy, Placement, RunSet, fan_out

Body = Callable[..., Awaitable[Any]]

BODIES: dict[str, Body] = {}


@flow(name="toy-leaf")
async def leaf(body: str, item: int) -> Any:
    """What a child runs: whatever the test says."""
    return await BODIES[body](item)


LEAF: Flow[..., Any] = leaf


@flow(name="toy-patient-leaf", retries=1, retry_delay_seconds=0)
async def patient_leaf(body: str, item: int) -> Any:
    """A child that is tried again in its own run."""
    return await BODIES[body](item)


@flow(name="toy-quiet-leaf", persist_result=False)
async def quiet_leaf(body: str, item: int) -> Any:
    """A child whose engine need not ask where results go."""
    return await BODIES[body](item)


@flow(name="toy-parent")
async def parent(body: str) -> Any:
    """What awaits a fan-out."""
    return await BODIES[body]()


@flow(name="toy-constant")
async def constant() -> int:
    """What a process of its own can run: it needs no body."""
    return 1


@flow(name="toy-middle")
async def middle(body: str, item: int) -> Any:
    """A child that fans out itself."""
    return await BODIES[body](item)


@contextmanager
def named(body: Body) -> Iterator[str]:
    """A name under which the flows find this body."""
    name = uuid4().hex
    BODIES[name] = body
    try:
        yield name
    finally:
        del BODIES[name]


@dataclass
class Leaf:
    """The body of the leaves: does its item times ten, and notes who called.

    Attributes:
        failing: Items whose run fails, each time.
        crashing: How often an item's run crashes before it completes.
        blocking: Items that wait for `gate`.
        waiting: How many have come to it.
    """

    failing: frozenset[int] = frozenset()
    crashing: Mapping[int, int] = field(default_factory=dict)
    blocking: frozenset[int] = frozenset()
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    blocked: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    calls: Counter[int] = field(default_factory=Counter)
    running: int = 0
    most_running: int = 0

    async def __call__(self, item: int) -> int:
        self.calls[item] += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self._work(item)
        finally:
            self.running -= 1

    async def _work(self, item: int) -> int:
        if item in self.blocking:
            self.waiting += 1
            self.blocked.set()
            await self.gate.wait()
        if self.calls[item] <= self.crashing.get(item, 0):
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        await asyncio.sleep(0)
        if item in self.failing:
            raise ValueError(f"item {item} is bad")
        return item * 10


@dataclass(frozen=True)
class Toy:
    """A deployment of a toy flow, and the body its runs have."""

    client: PrefectClient
    deployment_id: UUID
    deployment: str
    body: str
    flow: Flow[..., Any] = leaf
    pool: str | None = None

    def children(self, count: int) -> list[Child]:
        """Children 0, 1, 2, ..."""
        return [self.child(item) for item in range(count)]

    def child(self, item: int) -> Child:
        parameters = {"body": self.body, "item": item}
        return Child(f"key:{item}", f"leaf {item}", parameters, tags=(f"item-{item}",))

    def inline(self, count: int, policy: FanOutPolicy | None = None, **more: Any) -> Body:
        """A parent's body that has so many children in its own process."""
        return partial(
            fan_out,
            self.children(count),
            deployment=self.deployment,
            placement=Placement.INLINE,
            flow=self.flow,
            policy=policy,
            **more,
        )

    def jobs(self, count: int, policy: FanOutPolicy, **more: Any) -> Body:
        """A parent's body that has so many children in jobs of their own."""
        return partial(
            fan_out,
            self.children(count),
            deployment=self.deployment,
            placement=Placement.JOB,
            policy=policy,
            **more,
        )

    async def runs(self, *states: StateType) -> dict[int, list[FlowRun]]:
        """The deployment's runs on the server by item, oldest attempt first."""
        found: list[FlowRun] = []
        while len(page := await self._page(states, len(found))) == 200:
            found += page
        by_item: dict[int, list[FlowRun]] = {}
        for run in sorted([*found, *page], key=attempt_number):
            by_item.setdefault(run.parameters["item"], []).append(run)
        return by_item

    async def latest(self, item: int) -> FlowRun:
        """The latest run of an item."""
        return (await self.runs())[item][-1]

    async def states(self) -> dict[int, list[StateType | None]]:
        """The states of the deployment's runs, by item."""
        return {item: [r.state_type for r in runs] for item, runs in (await self.runs()).items()}

    async def _page(self, states: tuple[StateType, ...], offset: int) -> list[FlowRun]:
        state = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))
        return await self.client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[self.deployment_id])),
            flow_run_filter=FlowRunFilter(state=state) if states else None,
            limit=200,
            offset=offset,
        )


def attempt_number(run: FlowRun) -> int:
    """Which attempt at its child a run is."""
    return int((run.idempotency_key or "").split(":")[1])


@asynccontextmanager
async def deployed(
    client: PrefectClient,
    body: Body,
    toy: Flow[..., Any] = leaf,
    *,
    pooled: bool = False,
    pool_type: str = "process",
) -> AsyncIterator[Toy]:
    """Deploy a toy flow under a name of its own, with this body for its runs."""
    name = uuid4().hex
    pool = f"toy-{name}" if pooled else None
    if pool is not None:
        await client.create_work_pool(WorkPoolCreate(name=pool, type=pool_type))
    deployment_id = await client.create_deployment(
        flow_id=await client.create_flow(toy),
        name=name,
        work_pool_name=pool,
        tags=["toy"],
        parameter_openapi_schema=parameter_schema(toy).model_dump_for_openapi(),
        enforce_parameter_schema=True,
    )
    with named(body) as body_name:
        yield Toy(client, deployment_id, f"{toy.name}/{name}", body_name, toy, pool)


@dataclass
class Parent:
    """A parent's flow run, which can be executed more than once.

    Attributes:
        run_sets: What its fan-outs returned, one for each execution that came so far.
    """

    client: PrefectClient
    run: FlowRun
    run_sets: list[RunSet] = field(default_factory=list)

    async def execute(self, body: Body) -> State[Any]:
        """Run the flow run to its end, again if it has been."""

        async def noted() -> None:
            self.run_sets.append(await body())

        if self.run.state_type is not StateType.PENDING:
            await self.client.set_flow_run_state(self.run.id, Pending(), force=True)
            self.run = await self.client.read_flow_run(self.run.id)
        with named(noted) as name:
            # Without its deployment, or here with none, the engine starts no threads.
            state = await run_flow_async(
                parent, flow_run=self.run, parameters={"body": name}, return_type="state"
            )
        self.run = await self.client.read_flow_run(self.run.id)
        assert isinstance(state, State)
        return state

    @property
    def run_set(self) -> RunSet:
        """What the latest fan-out returned."""
        return self.run_sets[-1]

    async def state(self) -> State[Any]:
        """As the server knows it now."""
        state = (await self.client.read_flow_run(self.run.id)).state
        assert state is not None
        return state


async def new_parent(client: PrefectClient) -> Parent:
    """A parent that has not run yet."""
    run = await client.create_flow_run(parent, parameters={"body": ""}, state=Pending())
    return Parent(client, await client.read_flow_run(run.id))


@dataclass
class Worker:
    """Stands for a worker of the toy's pool: polls, and starts each scheduled run.

    Attributes:
        job: Executes one run; by default with Prefect's engine, as a job would.
        most_open: The most unfinished runs it ever saw.
        started: How many runs it took.
    """

    toy: Toy
    job: Callable[[FlowRun], Awaitable[Any]] = field(default_factory=lambda: execute_job)
    most_open: int = 0
    started: int = 0

    async def serve(self) -> None:
        """Work until cancelled."""
        async with AsyncClientContext(), asyncio.TaskGroup() as jobs:
            while True:
                unfinished = await self.toy.runs(
                    StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING
                )
                runs = [run for attempts in unfinished.values() for run in attempts]
                self.most_open = max(self.most_open, len(runs))
                for run in runs:
                    await self._look_after(run, jobs)
                await asyncio.sleep(0.02)

    async def _look_after(self, run: FlowRun, jobs: asyncio.TaskGroup) -> None:
        if run.state_type is StateType.CANCELLING:
            await self.toy.client.set_flow_run_state(run.id, Cancelled(), force=True)
        elif run.state_type is StateType.SCHEDULED:
            await self.toy.client.set_flow_run_state(run.id, Pending())
            self.started += 1
            jobs.create_task(self._run(await self.toy.client.read_flow_run(run.id)))

    async def _run(self, run: FlowRun) -> None:
        await self.job(run)


async def execute_job(run: FlowRun) -> None:
    """Execute a run with Prefect's engine, whatever comes of it."""
    local = run.model_copy(update={"deployment_id": None})
    job = asyncio.create_task(
        run_flow_async(LEAF, flow_run=local, parameters=run.parameters, return_type="state")
    )
    await asyncio.wait([job])


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[Worker]:
    """Have the worker work meanwhile."""
    task = asyncio.create_task(worker.serve())
    try:
        yield worker
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition on the server; give up when the test would hang."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - the condition is on the server
            await asyncio.sleep(0.02)
