"""`trading up` with the documented commands, jobs of their own, and `prefect deploy`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pyarrow.parquet as pq
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, StateType

from flows.boundary.settings import project_root
from flows.deploy.wiring import deployment_definitions
from lake.market.inputs import write_market_data
from tests.cli.conftest import PROXIES, assert_all_end
from tests.documentation.commands import documented_commands
from tests.markets import session_timestamps
from trading.bars.synthetic import contract_names, synthetic_market

WAIT_SECONDS = 150.0
PROGRAMS = Path(sys.executable).parent

DOCUMENTED = {
    command.words[5].partition("/")[0]: command.words[2:]
    for command in documented_commands()
    if command.document == "docs/usage.md"
    and command.words[2:5] == ("prefect", "deployment", "run")
}
"""Flow -> the command that docs/usage.md gives for it, without `uv run`; see below for its last."""

FIRST = (DOCUMENTED["analyze-symbol"], DOCUMENTED["validate-data"])
THEN = (
    DOCUMENTED["analyze-time-partition"],
    DOCUMENTED["trading-orchestrator"],
    DOCUMENTED["aggregate-portfolio"],
)

DEPLOYMENTS = tuple(definition.name for definition in deployment_definitions())


@dataclass(frozen=True)
class Up:
    """A running `trading up` with a server of its own."""

    process: subprocess.Popen[str]
    client: PrefectClient
    environment: Mapping[str, str]

    async def commands(self, *typed: Sequence[str]) -> list[tuple[int, str]]:
        """Type commands in other terminals, all at once: exit codes and what they print."""
        shells = [
            await asyncio.create_subprocess_exec(
                PROGRAMS / program,
                *words,
                env=dict(self.environment),
                cwd=project_root(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            for program, *words in typed
        ]
        outputs = await asyncio.gather(*(shell.communicate() for shell in shells))
        return [
            (shell.returncode or 0, output.decode())
            for shell, (output, _) in zip(shells, outputs, strict=True)
        ]

    async def submit(self, **parameters: Any) -> UUID:
        """Create a run of the orchestrator for the worker."""
        deployment = await self.client.read_deployment_by_name("trading-orchestrator/orchestrator")
        run = await self.client.create_flow_run_from_deployment(
            deployment.id, parameters=parameters
        )
        return run.id

    async def top_level(self, count: int) -> list[FlowRun]:
        """The runs that no other run made, once there are `count` and all have ended."""
        final = {StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED}
        filters = FlowRunFilter.model_validate({"parent_task_run_id": {"is_null_": True}})
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            runs = await self.client.read_flow_runs(flow_run_filter=filters, limit=200)
            if len(runs) >= count and all(run.state_type in final for run in runs):
                return runs
            assert time.monotonic() < deadline, [(run.name, run.state_name) for run in runs]
            assert self.process.poll() is None
            await asyncio.sleep(0.5)

    async def children(self, parent: UUID) -> list[FlowRun]:
        filters = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent]))
        return await self.client.read_flow_runs(flow_run_filter=filters, limit=200)

    async def deployments(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """What matters of the deployments of these names, by name."""
        filters = DeploymentFilter(name=DeploymentFilterName(any_=list(names)))
        found = await self.client.read_deployments(deployment_filter=filters)
        kept = {
            "entrypoint", "description", "tags", "work_pool_name", "work_queue_name",
            "parameter_openapi_schema", "enforce_parameter_schema",
        }  # fmt: skip
        models = {d.name: d.model_dump(include=kept) for d in found}
        for model in models.values():
            if not model["parameter_openapi_schema"].get("definitions"):
                # Left out by the one, empty from the other.
                model["parameter_openapi_schema"].pop("definitions", None)
        return models


@pytest.fixture
async def up(tmp_path: Path, migrated: Callable[[Path], Path]) -> AsyncIterator[Up]:
    """`trading up` on ten contracts of two bars each, and the server it starts.

    It reaches its own server and worker although a proxy is set, which does not lead to them.
    """
    stamps = session_timestamps(1)[:2]
    made = synthetic_market(contract_names(10), stamps, seed=1)
    write_market_data(
        str(tmp_path / "input"), stamps, made.prices, made.contracts,
        stamps, made.vix, stamps, made.spx,
    )  # fmt: skip
    inherited = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    migrated(tmp_path / "server")
    folders = {f"TRADING_{n}_DIR": str(tmp_path / n.lower()) for n in ("SERVER", "INPUT", "OUTPUT")}
    process = subprocess.Popen(  # noqa: ASYNC220 - starting it takes no time worth waiting for
        [PROGRAMS / "trading", "up", "--port", "0"],
        env=inherited | folders | PROXIES,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        export = next(line for line in lines if "export PREFECT_API_URL=" in line)
        api_url = export.strip().removeprefix("export PREFECT_API_URL=")
        async with PrefectClient(api_url) as client:
            yield Up(process, client, inherited | {"PREFECT_API_URL": api_url})
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
        assert_all_end(family)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
async def test_documented_commands_jobs_of_their_own_and_deploy(up: Up, tmp_path: Path) -> None:
    output, elsewhere = tmp_path / "output", tmp_path / "elsewhere"
    jobs = await up.submit(contracts=["AAPL"], job_per="partition", output_dir=str(elsewhere))
    for typed, runs_so_far in ((FIRST, len(FIRST) + 1), (THEN, len(FIRST) + 1 + len(THEN))):
        answers = await up.commands(*typed)
        assert [code for code, _ in answers] == [0] * len(typed), answers
        runs = await up.top_level(runs_so_far)
        assert {run.state_type for run in runs} == {StateType.COMPLETED}, messages(runs)
    assert len(list(output.glob("*/2*.parquet"))) == 20
    assert (output / "_portfolio" / "portfolio.parquet").is_file()

    (alone,) = [run for run in runs if run.name == "AAPL"]
    assert await jobs_of(up, alone) == (True, {False}), "partitions inside their contract's job"
    (below,) = [run for run in await up.children(jobs) if run.name == "AAPL"]
    assert await jobs_of(up, below) == (True, {True}), "partitions in jobs of their own"
    assert_same_data(output / "AAPL", elsewhere / "AAPL")
    await assert_deploy_registers_the_same(up)


def messages(runs: list[FlowRun]) -> list[tuple[str, str | None]]:
    return [(run.name, run.state.message) for run in runs if run.state]


async def jobs_of(up: Up, symbol: FlowRun) -> tuple[bool, set[bool]]:
    """Whether a contract's run, and whether its partitions, had processes of their own.

    The worker notes the process it starts; a run inside its parent's has none.
    """
    leaves = await up.children(symbol.id)
    assert [leaf.state_type for leaf in leaves] == [StateType.COMPLETED] * 2
    own = {leaf.infrastructure_pid is not None for leaf in leaves}
    return symbol.infrastructure_pid is not None, own


def assert_same_data(one: Path, other: Path) -> None:
    """Hold every column of two folders' results to the same bytes."""
    names = sorted(file.name for file in one.glob("*.parquet"))
    assert names == sorted(file.name for file in other.glob("*.parquet"))
    assert len(names) == 2
    for name in names:
        mine, theirs = (pq.read_table(folder / name) for folder in (one, other))
        assert mine.column_names == theirs.column_names
        for column in mine.column_names:
            pair = (mine[column].combine_chunks(), theirs[column].combine_chunks())
            assert pair[0].equals(pair[1]), (name, column)
        metadata = [table.schema.metadata for table in (mine, theirs)]
        assert metadata[0][b"fingerprint"] == metadata[1][b"fingerprint"]
        assert metadata[0][b"flow_run_id"] != metadata[1][b"flow_run_id"]


async def assert_deploy_registers_the_same(up: Up) -> None:
    """`prefect deploy --all` makes, on a server without them, what `trading up` registered."""
    registered = await up.deployments(DEPLOYMENTS)
    assert set(registered) == set(DEPLOYMENTS)
    for deployment in await up.client.read_deployments():
        await up.client.delete_deployment(deployment.id)
    ((code, printed),) = await up.commands(("prefect", "deploy", "--all"))
    assert code == 0, printed
    assert await up.deployments(DEPLOYMENTS) == registered
    assert len(await up.client.read_deployments()) == len(DEPLOYMENTS)
