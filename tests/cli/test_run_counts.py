from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed, Pending, Running, Scheduled

from cli.pipeline.run_counts import RunCounts


@flow
def any_flow() -> None:
    """Stands behind every deployment: the counts do not depend on what runs."""


@task
def any_task() -> None:
    """Its task runs are what subflows hang on."""


class Tree:
    """Flow runs of deployments as parents and children."""

    def __init__(self, client: PrefectClient) -> None:
        self.client = client
        self.deployments: dict[str, UUID] = {}

    async def run(self, deployment: str, state: State[None], parent: UUID | None = None) -> UUID:
        link = None if parent is None else await self._link(parent)
        run = await self.client.create_flow_run_from_deployment(
            await self._deployment(deployment), state=state, parent_task_run_id=link
        )
        return run.id

    async def _deployment(self, name: str) -> UUID:
        if name not in self.deployments:
            flow_id = await self.client.create_flow(any_flow)
            self.deployments[name] = await self.client.create_deployment(flow_id, name)
        return self.deployments[name]

    async def _link(self, parent: UUID) -> UUID:
        task_run = await self.client.create_task_run(
            any_task, flow_run_id=parent, dynamic_key=str(uuid4()), state=Running()
        )
        return task_run.id


@pytest.fixture
def tree(prefect_client: PrefectClient) -> Tree:
    return Tree(prefect_client)


async def test_the_runs_of_one_orchestrator_are_counted_and_no_others(tree: Tree) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    root = await tree.run("orchestrator", Running())
    other = await tree.run("orchestrator", Running())
    counts = RunCounts(tree.client, root, before)
    assert await counts.partitions() == {}
    assert await counts.by_deployment() == {"orchestrator": {"Running": 1}}

    await tree.run("validate-data", Completed(), root)
    first = await tree.run("analyze-symbol", Running(), root)
    await tree.run("analyze-time-partition", Completed(), first)
    await tree.run("analyze-time-partition", Failed(), first)
    assert await counts.partitions() == {"Completed": 1, "Failed": 1}

    second = await tree.run("analyze-symbol", Completed(), root)
    await tree.run("analyze-time-partition", Completed(), second)
    await tree.run("analyze-time-partition", Pending(), second)
    elsewhere = await tree.run("analyze-symbol", Running(), other)
    await tree.run("analyze-time-partition", Completed(), elsewhere)
    assert await counts.partitions() == {"Completed": 2, "Failed": 1, "Pending": 1}
    assert await counts.by_deployment() == {
        "orchestrator": {"Running": 1},
        "validate-data": {"Completed": 1},
        "analyze-symbol": {"Running": 1, "Completed": 1},
        "analyze-time-partition": {"Completed": 2, "Failed": 1, "Pending": 1},
    }


async def test_the_runs_that_have_not_ended_are_found(tree: Tree) -> None:
    root = await tree.run("orchestrator", Running())
    running = await tree.run("analyze-symbol", Running(), root)
    completed = await tree.run("analyze-symbol", Completed(), root)
    pending = await tree.run("analyze-time-partition", Pending(), completed)
    scheduled = await tree.run("analyze-time-partition", Scheduled(), running)
    await tree.run("analyze-time-partition", Failed(), running)
    counts = RunCounts(tree.client, root, datetime.now(UTC))
    assert set(await counts.unfinished()) == {running, pending, scheduled}
