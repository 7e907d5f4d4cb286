"""The default installation on the node that its README promises: 2 CPUs and 4 GiB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.client.schemas.objects import StateType

from lake.market.inputs import write_market_data
from tests.charts.conftest import PASSWORD, STRATEGY, Installation, Server, installed
from tests.charts.kubernetes_api.scheduler import Amounts, amounts, requested, total
from tests.charts.rendering import Release, render
from tests.charts.test_worker_jobs import ORCHESTRATOR, label, results
from tests.markets import session_timestamps
from tests.own_server import server_with_password
from trading.bars.synthetic import synthetic_market

RELEASE = render()
NODE = {"cpu": "2", "memory": "3996Mi"}
"""What a kubelet offers of such a machine."""

OF_THE_CLUSTER = {"cpu": "950m", "memory": "290Mi"}
"""What kubeadm's own pods reserve where one node is the whole cluster."""

CONTRACTS = ["AAPL", "AMZN", "GOOGL", "META", "MSFT"]
BARS = 2
PENDING_SECONDS = 15
"""Shorter than a pod waits for room, longer than a busy machine's worker takes to make a Job."""


def free(release: Release) -> Amounts:
    """What the node has for flow runs beside the cluster's and the release's own pods."""
    ours = [
        requested(workload["spec"]["template"]["spec"])
        for workload in release.workloads().values()
        if workload["kind"] not in {"Job", "Pod"}
    ]
    taken = total([amounts(OF_THE_CLUSTER), *ours])
    return {name: there - taken[name] for name, there in amounts(NODE).items()}


def of_a_flow_run(release: Release) -> Amounts:
    return amounts({name: release.job_default(f"{name}_request") for name in ("cpu", "memory")})


def test_the_parents_of_a_run_leave_room_for_partitions() -> None:
    left, one = free(RELEASE), of_a_flow_run(RELEASE)
    parents = 1 + int(RELEASE.settings()["TRADING_SYMBOL_JOBS_IN_FLIGHT"])
    partitions = {name: (left[name] - parents * one[name]) // one[name] for name in one}
    assert min(partitions.values()) >= 2, partitions


@pytest.fixture(scope="module")
def installation(
    migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """The chart's own numbers on such a node, with a deadline that every waiting pod exceeds."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "node").mkdir()
    variables = [
        f"--job-variable={name}={RELEASE.job_default(name)}"
        for name in ("cpu_request", "memory_request")
    ]
    in_flight = "TRADING_SYMBOL_JOBS_IN_FLIGHT"
    settings = {
        in_flight: RELEASE.settings()[in_flight],
        "TRADING_PENDING_DEADLINE_SECONDS": str(PENDING_SECONDS),
    }
    limit = RELEASE.arguments("register")["--partition-limit"]
    with (
        server_with_password(migrated(folder / "server"), PASSWORD) as api_url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PREFECT_API_URL", api_url)
        patch.setenv("PREFECT_API_AUTH_STRING", PASSWORD)
        with installed(
            folder, api_url, f"--partition-limit={limit}", *variables,
            settings=settings, free=free(RELEASE),
        ) as done:  # fmt: skip
            yield done


def market(folder: Path) -> dict[str, str]:
    stamps = session_timestamps(1)[:BARS]
    made = synthetic_market(CONTRACTS, stamps, seed=1)
    write_market_data(
        str(folder / "input"), stamps, made.prices, CONTRACTS, stamps, made.vix, stamps, made.spx
    )
    return {"input_dir": str(folder / "input"), "output_dir": str(folder / "output")}


@pytest.mark.slow
async def test_all_contracts_are_computed_and_pods_that_wait_for_room_only_wait(
    installation: Installation, server: Server
) -> None:
    folders = market(installation.folder)
    run = await server.start(
        ORCHESTRATOR, contracts=CONTRACTS, run_validation=False, strategy=STRATEGY, **folders
    )
    ended = await server.ended(run.id)
    assert ended.state_type is StateType.COMPLETED, await server.said()
    assert len(results(Path(folders["output_dir"]))) == len(CONTRACTS) * BARS
    pods = [pod for _, pod in installation.cluster.history("pods")]
    waited = {
        pod["metadata"]["name"]
        for pod in pods
        for condition in pod["status"].get("conditions", [])
        if condition["reason"] == "Unschedulable"
    }
    assert waited
    jobs = [job for event, job in installation.cluster.history("jobs") if event == "ADDED"]
    made = Counter(label(job, "flow-run-name") for job in jobs)
    assert set(made.values()) == {1}, made
    assert {found.state_type for found in await server.runs()} == {StateType.COMPLETED}
    assert installation.cluster.surprises() == []
