"""An installation of the chart in the image: every command as its manifest has it."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from tests.charts import given
from tests.charts.rendering import Manifest, merged, render
from tests.image.build import Root
from tests.image.container import START_SECONDS, Container
from tests.image.pods import Node, network
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

API, STORE = 4200, 8333
VALIDATE = ["prefect", "deployment", "run", "validate-data/validate-data"]
ANALYZE = [
    "prefect", "deployment", "run", "analyze-time-partition/analyze-time-partition",
    "--param", "contract=AAPL", "--param", "timestamp=2024-01-02T09:30:00-05:00",
]  # fmt: skip
IS_THERE = (
    "from storage.directory import open_directory;"
    "print(open_directory('s3://trading/output', 'o').identity('AAPL/20240102_093000.parquet'))"
)


@pytest.fixture
def node(image: Root, tmp_path: Path) -> Iterator[Node]:
    release = render(merged(given.SAMPLE, {"sampleData": {"contracts": 1}}))
    with network() as shared:
        yield Node(image, release, shared, tmp_path)


def _done(done: CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def _until_ready(node: Node, component: str, running: Container) -> None:
    """Wait as the kubelet does, by the readiness probe of the manifest."""
    container = node.release.container(component)
    probe = container["readinessProbe"]
    if "exec" in probe:
        running.wait_for(probe["exec"]["command"])
        return
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    at = probe["httpGet"]

    def answers() -> bool:
        assert running.process.poll() is None, running.log.read_text()
        return bool(node.ask(at["path"], ports[at["port"]])[0] == 200)

    wait_until(answers, lambda: f"{component} is ready: {running.log.read_text()}", START_SECONDS)


async def test_an_installation_starts_registers_and_computes_a_partition(node: Node) -> None:
    with contextlib.ExitStack() as pods:
        postgres = pods.enter_context(node.start("postgres"))
        _until_ready(node, "postgres", postgres)
        _done(node.run("server", name="wait-for-postgres"))
        server = pods.enter_context(node.start("server"))
        with node.start("store") as store:
            _until_ready(node, "store", store)
            _until_ready(node, "server", server)
            _done(node.run("worker", name="wait-for-server"))
            assert b"<title>Prefect" in node.ask("/", API)[1]
            assert "made for 1 contracts" in _done(node.run("prepare-storage"))
            assert store.stop() == 0
        _done(node.run("register"))
        # What a store has is on its volume, and nothing of it in the pod that was.
        store = pods.enter_context(node.start("store"))
        _until_ready(node, "store", store)
        test = [part for part in node.release.container("test")["args"] if "--run" not in part]
        _done(node.run("test", test))
        assert node.ask("/api/flow_runs/filter", API)[0] == 401
        assert node.ask("/trading/input/spx_hourly.parquet", STORE)[0] == 403

        for command in (VALIDATE, ANALYZE):  # one with a supervisor, one without
            told = _done(node.run("worker", command))
            (run,) = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", told)[:1]
            job = await _job(node, run)
            container = job["spec"]["template"]["spec"]["containers"][0]
            log = _done(node.run_job(container, _variables(node, container)))
            assert _get(node, f"flow_runs/{run}")["state_type"] == "COMPLETED", log
        assert _done(node.run("test", ["python", "-c", IS_THERE])).strip() != "None"

        assert (server.stop(), store.stop(), postgres.stop()) == (0, 0, 0)


async def _job(node: Node, run: str) -> Manifest:
    """The Job that the worker would make of a flow run, by the registered template."""
    found = _get(node, f"flow_runs/{run}")
    deployment = _get(node, f"deployments/{found['deployment_id']}")
    template = _get(node, f"work_pools/{deployment['work_pool_name']}")["base_job_template"]

    configuration = await KubernetesWorkerJobConfiguration.from_template_and_values(
        template, deployment["job_variables"], client=object()
    )
    configuration.prepare_for_flow_run(FlowRun.model_validate(found))
    job: Manifest = configuration.job_manifest
    return job


def _variables(node: Node, container: Manifest) -> dict[str, str]:
    """The Job's environment, with the worker's settings of Prefect instead of this process's."""
    of_worker = node.environment(node.release.container("worker"))
    settings = {name: of_worker[name] for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING")}
    own = {
        variable["name"]: variable["value"]
        for variable in container["env"]
        if not re.match("PREFECT_(?!_)", variable["name"])
    }
    return {**own, **settings}


def _get(node: Node, path: str) -> Any:
    login = node.environment(node.release.container("worker"))["PREFECT_API_AUTH_STRING"]
    code = base64.b64encode(login.encode()).decode()
    status, body = node.ask(f"/api/{path}", API, f"Basic {code}")
    assert status == 200, body
    return json.loads(body)
