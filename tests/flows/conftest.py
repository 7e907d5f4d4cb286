"""A pipeline on a small market: deployments on a real server, runs executed in the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import anyio
import pytest
from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State
from prefect.flow_engine import run_flow_async
from prefect.flows import load_flow_from_entrypoint
from prefect.logging.handlers import APILogHandler
from prefect.settings import (
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    temporary_settings,
)
from prefect.states import Pending

from cli.pipeline.orchestration import delivering
from flows.boundary.settings import settings
from flows.deploy.registration import register_deployments
from tests.markets import Market, random_market, session_timestamps

STRATEGY = {"beta_window": 3, "beta_min_periods": 2}
"""A window that fits into one session of eight bars: a bar depends on itself and three before."""

BARS = ("0930", "1030", "1130", "1230", "1330", "1430", "1530", "1600")
FILES = [f"20240102_{bar}00.parquet" for bar in BARS]
"""The result files of each contract of the small market, at grain bar."""


@dataclass(frozen=True)
class Ended:
    """A flow run that was executed here, and its last state."""

    run: FlowRun
    state: State[Any]

    @property
    def id(self) -> UUID:
        return self.run.id

    @property
    def message(self) -> str:
        return self.state.message or ""

    async def value(self) -> Any:
        return await self.state.aresult()


@dataclass(frozen=True)
class Pipeline:
    """Deployments, an input and an output directory, and what the server knows of runs."""

    client: PrefectClient
    input: Path
    output: Path

    @property
    def folders(self) -> dict[str, str]:
        return {"input_dir": str(self.input), "output_dir": str(self.output)}

    async def orchestrate(self, **parameters: Any) -> Ended:
        """Run the orchestrator on all contracts of the small market, unless told otherwise."""
        defaults = {"num_contracts": 2, "job_per": "run", "strategy": STRATEGY, **self.folders}
        return await self.run("trading-orchestrator/orchestrator", {**defaults, **parameters})

    async def run(self, name: str, parameters: dict[str, Any]) -> Ended:
        """Create a run of a deployment and execute it in this process, as a job would."""
        deployment = await self.client.read_deployment_by_name(name)
        flow: Flow[..., Any] = load_flow_from_entrypoint(str(deployment.entrypoint))
        run = await self.client.create_flow_run_from_deployment(
            deployment.id, parameters=parameters, state=Pending()
        )
        state = await run_flow_async(
            flow, flow_run=run, parameters=dict(run.parameters), return_type="state"
        )
        assert isinstance(state, State)
        return Ended(await self.client.read_flow_run(run.id), state)

    async def children(self, parent: UUID) -> list[FlowRun]:
        """The subflow runs of a run, in the order of their names."""
        filters = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent]))
        runs = await self.client.read_flow_runs(flow_run_filter=filters, limit=200)
        return sorted(runs, key=lambda run: run.name)

    async def artifacts(self, run: UUID) -> dict[str, Any]:
        """Key -> data of the artifacts of a run, each as it is now."""
        filters = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
        found = await self.client.read_artifacts(artifact_filter=filters)
        return {str(artifact.key): artifact.data for artifact in found}

    async def log(self, *runs: UUID) -> str:
        """What the runs have logged."""
        await APILogHandler.aflush()
        filters = LogFilter(flow_run_id=LogFilterFlowRunId(any_=list(runs)))
        return "\n".join(log.message for log in await self.client.read_logs(filters, limit=200))

    def results(self) -> list[str]:
        """The result files, relative to the output directory; the portfolio is none."""
        found = (p.relative_to(self.output).as_posix() for p in self.output.rglob("*.parquet"))
        return sorted(name for name in found if not name.startswith("_portfolio/"))


@pytest.fixture
def small_market() -> Market:
    """AAPL and BRK-B, one session of eight bars."""
    return random_market(session_timestamps(1), contracts=2)


@pytest.fixture(scope="session")
def registered(prefect_server: str) -> None:
    """The deployments on this process's server."""

    async def register() -> None:
        async with get_client() as client:
            await register_deployments(client, settings().work_pool)

    asyncio.run(register())


@pytest.fixture
async def pipeline(
    registered: None,
    prefect_client: PrefectClient,
    small_market: Market,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Pipeline]:
    """The deployments, and the small market as input."""
    _retry_soon(monkeypatch)
    small_market.write(tmp_path / "input")
    # Many short waits instead of a few long ones.
    patient = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_CLIENT_MAX_RETRIES: 100}
    with temporary_settings(patient):
        async with delivering():
            yield Pipeline(prefect_client, tmp_path / "input", tmp_path / "output")


def _retry_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits 2, 4, 8 ... seconds when SQLite is locked: tests at once lock it often."""

    async def nap(seconds: float) -> None:
        await anyio.sleep(min(seconds, 0.2))

    monkeypatch.setattr("prefect.client.base.anyio", SimpleNamespace(sleep=nap, Lock=anyio.Lock))
