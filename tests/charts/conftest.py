"""A stand-in cluster, the real worker on it, and the deployments registered by our command."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    LogFilter,
    LogFilterFlowRunId,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun

from servers.prefect import available_port
from servers.process import start_child, stop_child
from tests.charts.kubernetes_api.cluster import Cluster
from tests.charts.kubernetes_api.scheduler import Amounts
from tests.charts.matrix import MATRIX
from tests.charts.rendering import FULLNAME, NAMESPACE, Release, render
from tests.own_server import server_with_password

WAIT_SECONDS = 480.0
POOL = "stand-in"
IMAGE = "registry.example.com/trading-fanout:1.0.0"
PASSWORD = "of-nobody:and-nowhere"  # noqa: S105 - of a server that lives for a minute
RELEASE = render({"prefect": {"workPool": POOL}})
AUTH = f"{FULLNAME}-auth"
TEMPLATE = Path(__file__).parents[2] / "charts/trading-fanout/files/base-job-template.json"
STRATEGY = {"beta_window": 3, "beta_min_periods": 2}
TRADING = [sys.executable, "-c", "from cli.app import main; main()"]


@dataclass(frozen=True)
class Installation:
    """A cluster on which the worker waits for flow runs.

    Attributes:
        cluster: The cluster.
        folder: Below it are the market data and the results.
        worker_log: What the worker prints.
        api_url: Of the Prefect server.
    """

    cluster: Cluster
    folder: Path
    worker_log: Path
    api_url: str


@pytest.fixture(params=list(MATRIX))
def release(request: pytest.FixtureRequest) -> Release:
    """The chart as each row of the matrix renders it."""
    return render(MATRIX[request.param])


@pytest.fixture(scope="module")
def installation(
    migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """The stand-in with the chart's Role, our registration, and the unmodified worker.

    On a server of its own: on the session's, other tests register the deployments for their pool.
    """
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "node").mkdir()
    with (
        server_with_password(migrated(folder / "server"), PASSWORD) as api_url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PREFECT_API_URL", api_url)
        patch.setenv("PREFECT_API_AUTH_STRING", PASSWORD)
        with installed(folder, api_url) as done:
            yield done


@contextmanager
def installed(
    folder: Path,
    api_url: str,
    *options: str,
    settings: Mapping[str, str] = MappingProxyType({}),
    free: Amounts | None = None,
) -> Iterator[Installation]:
    """An installation on the server at `api_url`, to which the environment points.

    Args:
        folder: For its files.
        options: Of its registration.
        settings: Environment variables of flow runs.
        free: CPU and memory that its node has for Jobs; None: enough.
    """
    rules = RELEASE.one("Role", "worker")["rules"]
    secrets = {
        AUTH: {"auth-string": PASSWORD},
        "store": {"TRADING_POLL_SECONDS": "0.5", "TRADING_WORK_POOL": POOL, **settings},
    }
    with Cluster(
        folder / "node", namespace=NAMESPACE, rules=rules, image=IMAGE, secrets=secrets, free=free
    ) as cluster:
        register(
            *options, "--image", IMAGE, "--job-variable", f"namespace={NAMESPACE}",
            "--job-variable", 'env_from=[{"secretRef": {"name": "store"}}]',
            "--job-variable", "env.TRADING_JOB_PER=partition",
            # A partition that is held does not end by itself.
            "--job-variable", "termination_grace_period_seconds=10",
        )  # fmt: skip
        log = folder / "worker.log"
        worker = start_child(
            "prefect", _worker_arguments(), log=log, env=_worker_environment(cluster)
        )
        try:
            yield Installation(cluster, folder, log, api_url)
        finally:
            stop_child(worker)


def register(*arguments: str) -> str:
    """Run `trading register` for the stand-in's pool; its output."""
    done = subprocess.run(
        [*TRADING, "register", "--pool", POOL, "--work-pool-type", "kubernetes",
         "--base-job-template", TEMPLATE, *arguments],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _worker_arguments() -> list[str]:
    """What the chart has the worker do, with the template where this machine has it."""
    mounted = "/etc/trading-fanout/base-job-template.json"
    program, *arguments = RELEASE.container("worker")["args"]
    assert program == "prefect"
    return [
        argument.replace(mounted, str(TEMPLATE)).replace("$(POD_NAME)", "worker-0")
        for argument in arguments
    ]


def _worker_environment(cluster: Cluster) -> dict[str, str]:
    """What the chart sets for the worker, with shorter pauses and this machine's places."""
    said = RELEASE.variables("worker")
    return {
        **os.environ,
        **{name: value for name, value in said.items() if isinstance(value, str)},
        "KUBECONFIG": str(cluster.kubeconfig),
        "PREFECT_API_URL": os.environ["PREFECT_API_URL"],
        "PREFECT_API_AUTH_STRING": PASSWORD,
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_WORKER_WEBSERVER_PORT": str(available_port(0)),
    }


@dataclass(frozen=True)
class Server:
    """What the Prefect server knows of the pool's runs."""

    client: PrefectClient

    async def start(self, deployment: str, **parameters: Any) -> FlowRun:
        found = await self.client.read_deployment_by_name(deployment)
        job_variables = parameters.pop("job_variables", None)
        return await self.client.create_flow_run_from_deployment(
            found.id, parameters=parameters, job_variables=job_variables
        )

    async def read(self, run: UUID) -> FlowRun:
        return await self.client.read_flow_run(run)

    async def runs(self) -> list[FlowRun]:
        """All runs of the pool."""
        pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
        return await self.client.read_flow_runs(work_pool_filter=pool, limit=200)

    async def log(self, run: UUID) -> str:
        filters = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run]))
        return "\n".join(log.message for log in await self.client.read_logs(filters, limit=200))

    async def said(self) -> str:
        """What has become of the runs, and what they said, for whoever looks for a fault."""
        logs = [f"{r.name}: {r.state}\n{await self.log(r.id)}" for r in await self.runs()]
        return "\n".join(logs)

    async def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for what an async condition answers."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not (answer := await condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"waited in vain: {what}; {await self.said()}")
            await asyncio.sleep(0.2)
        return answer

    async def ended(self, run: UUID) -> FlowRun:
        """The run, once it has a final state."""

        async def look() -> FlowRun | None:
            found = await self.read(run)
            return found if found.state and found.state.is_final() else None

        found = await self.until(look, f"the end of {run}")
        assert isinstance(found, FlowRun)
        return found


@pytest.fixture
async def server(installation: Installation) -> AsyncIterator[Server]:
    async with PrefectClient(installation.api_url, auth_string=PASSWORD) as client:
        yield Server(client)
