"""The unmodified worker on the stand-in cluster: every run a Job, and every misfortune survived."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelling

from lake.market.inputs import write_market_data
from tests.charts.conftest import (
    AUTH,
    IMAGE,
    PASSWORD,
    RELEASE,
    STRATEGY,
    TRADING,
    WAIT_SECONDS,
    Installation,
    Server,
)
from tests.charts.kubernetes_api.objects import Manifest
from tests.markets import session_timestamps
from trading.bars.synthetic import synthetic_market

pytestmark = pytest.mark.slow

ORCHESTRATOR = "trading-orchestrator/orchestrator"
PARTITION = "analyze-time-partition/analyze-time-partition"
CONTRACTS = ["AAPL", "MSFT"]
BARS = ["09-30", "10-30", "11-30"]
SUPERVISED = ["python", "-m", "flows.supervised_job"]
KILLED = 137


def market(folder: Path, bars: int = len(BARS)) -> dict[str, str]:
    """Two contracts with their first bars below the folder, as parameters of a flow."""
    stamps = session_timestamps(1)[:bars]
    made = synthetic_market(CONTRACTS, stamps, seed=1)
    write_market_data(
        str(folder / "input"), stamps, made.prices, CONTRACTS, stamps, made.vix, stamps, made.spx
    )
    return {"input_dir": str(folder / "input"), "output_dir": str(folder / "output")}


def label(job: Manifest, name: str) -> str:
    value: str = job["metadata"]["labels"][f"prefect.io/{name}"]
    return value


def results(folder: Path) -> list[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("2*.parquet"))
    return sorted(found)


async def test_every_run_is_a_job_and_misfortunes_are_survived(
    installation: Installation, server: Server
) -> None:
    cluster = installation.cluster
    folders = market(installation.folder / "all")
    cluster.fault("AAPL-2024-01-02-09-30", "lost before writing")
    cluster.fault("AAPL-2024-01-02-10-30", "lost after writing")
    cluster.fault("MSFT-2024-01-02-09-30", "evicted")
    known = {run.id for run in await server.runs()}
    run = await server.start(
        ORCHESTRATOR, contracts=CONTRACTS, run_validation=False, strategy=STRATEGY, **folders
    )
    ended = await server.ended(run.id)
    assert ended.state_type is StateType.COMPLETED, await server.log(run.id)
    assert results(Path(folders["output_dir"])) == [
        f"{contract}/20240102_{bar.replace('-', '')}00.parquet"
        for contract in CONTRACTS
        for bar in BARS
    ]
    added = (job for event, job in cluster.history("jobs") if event == "ADDED")
    jobs = [job for job in added if of(job) not in known]
    leaves = [f"{contract}-2024-01-02-{bar}" for contract in CONTRACTS for bar in BARS]
    # Lost before it wrote, and evicted, a partition runs again; lost after it wrote, it is done.
    twice = ["AAPL-2024-01-02-09-30", "MSFT-2024-01-02-09-30"]
    assert Counter(label(job, "flow-run-name") for job in jobs) == Counter(
        [run.name, *CONTRACTS, *leaves, *twice]
    )
    runs = [r for r in await server.runs() if r.id not in known]
    crashed = {r.name for r in runs if r.state_type is StateType.CRASHED}
    assert crashed == {"AAPL 2024-01-02 09:30", "AAPL 2024-01-02 10:30", "MSFT 2024-01-02 09:30"}
    for job in jobs:
        _assert_made_from_the_template(job)
        _assert_kept_for_a_while_only(job)
    assert _pod_ends(installation) >= {0, KILLED}
    rules = RELEASE.one("Role", "worker")["rules"]
    granted = {
        (what, verb) for rule in rules for what in rule["resources"] for verb in rule["verbs"]
    }
    assert cluster.asked() <= granted
    assert cluster.surprises() == []


def _assert_made_from_the_template(job: Manifest) -> None:
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    leaf = label(job, "deployment-name") == "analyze-time-partition"
    flow = "flows.analyze_time_partition_flow.analyze_time_partition"
    alone = ["python", "-m", "flows.job", flow]
    assert container["args"] == (alone if leaf else SUPERVISED)
    assert container["image"] == IMAGE
    assert job["metadata"]["name"].startswith(label(job, "flow-run-name").lower())
    assert job["metadata"]["labels"].items() >= {"trading-fanout/component": "flow-run"}.items()
    # The worker knows the password, the Job only where it is.
    assert PASSWORD not in str(job)
    (reference,) = (v for v in container["env"] if v["name"] == "PREFECT_API_AUTH_STRING")
    assert reference["valueFrom"] == {"secretKeyRef": {"name": AUTH, "key": "auth-string"}}


def _assert_kept_for_a_while_only(job: Manifest) -> None:
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["ttlSecondsAfterFinished"] > 0
    assert job["spec"]["activeDeadlineSeconds"] > 0


def _pod_ends(installation: Installation) -> set[int]:
    """The exit codes of the containers that have ended."""
    states = (
        container["state"]
        for _, pod in installation.cluster.history("pods")
        for container in pod["status"].get("containerStatuses", [])
    )
    return {state["terminated"]["exitCode"] for state in states if "terminated" in state}


async def test_a_job_whose_image_is_not_there_ends_within_its_deadline(
    installation: Installation, server: Server
) -> None:
    run = await server.start(
        PARTITION,
        contract="AAPL",
        timestamp="2024-01-02T09:30:00-05:00",
        **market(installation.folder / "image", bars=1),
        job_variables={
            "image": "registry.example.com/missing:1",
            "active_deadline_seconds": 3,
            "finished_job_ttl": 1,
        },
    )
    ended = await server.ended(run.id)
    assert ended.state_type is StateType.CRASHED
    assert "Image" in await server.log(run.id)

    async def gone() -> bool:
        return not [job for job in installation.cluster.jobs() if of(job) == run.id]

    await server.until(gone, "the removal of the finished Job")
    assert installation.cluster.surprises() == []


def of(job: Manifest) -> UUID:
    """The flow run of a Job."""
    return UUID(label(job, "flow-run-id"))


async def test_cancelling_the_orchestrator_ends_every_job(
    installation: Installation, server: Server
) -> None:
    cluster = installation.cluster
    folders = market(installation.folder / "cancelled", bars=2)
    cluster.fault("AAPL-2024-01-02-09-30", "held")
    cluster.fault("AAPL-2024-01-02-10-30", "unschedulable")
    known = {run.id for run in await server.runs()}
    run = await server.start(
        ORCHESTRATOR, contracts=["AAPL"], run_validation=False, strategy=STRATEGY, **folders
    )

    async def under_way() -> bool:
        states = {r.name: r.state_type for r in await server.runs() if r.id not in known}
        running = states.get("AAPL 2024-01-02 09:30") is StateType.RUNNING
        return running and states.get("AAPL 2024-01-02 10:30") is StateType.PENDING

    await server.until(under_way, "a partition that runs and one that waits for a node")
    await server.client.set_flow_run_state(run.id, Cancelling())
    ended = await server.ended(run.id)
    assert ended.state_type is StateType.CANCELLED

    waiting = "AAPL 2024-01-02 10:30"

    async def cancelled() -> bool:
        states = {r.name: r.state_type for r in await server.runs() if r.id not in known}
        return states[waiting] is StateType.CANCELLED

    # Nobody watches over a Job for which there is no room; its run does not wait for it.
    await server.until(cancelled, "the end of the run that waits for a node")

    async def quiet() -> bool:
        states = [r.state for r in await server.runs() if r.id not in known]
        active = [job for job in cluster.jobs() if job["status"].get("active")]
        return not active and all(state and state.is_final() for state in states)

    # What runs is seconds from its end and comes to it; what gets its node now does not begin.
    cluster.release()
    await server.until(quiet, "the end of every Job and run")
    states = {r.name: r.state_type for r in await server.runs() if r.id not in known}
    assert set(states.values()) == {StateType.CANCELLED}
    assert results(Path(folders["output_dir"])) == ["AAPL/20240102_093000.parquet"]
    assert cluster.surprises() == []


async def test_commands_in_the_console_find_everything_and_leave_the_jobs_to_the_worker(
    installation: Installation, server: Server
) -> None:
    folders = market(installation.folder / "console", bars=1)
    known = {run.id for run in await server.runs()}
    strategy = ("--strategy", json.dumps(STRATEGY))

    async def answer(command: str, exit_code: int) -> dict[str, Any]:
        done = await asyncio.to_thread(in_the_console, folders, command, *strategy, "--json")
        assert done.returncode == exit_code, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    assert (await answer("status", 3))["partitions"]["missing"] == len(CONTRACTS)
    redone = await answer("redo", 0)
    assert redone["partitions"]["completed"] == len(CONTRACTS), await server.said()
    assert (await answer("status", 0))["partitions"]["done"] == len(CONTRACTS)
    added = (job for event, job in installation.cluster.history("jobs") if event == "ADDED")
    names = {label(job, "flow-run-name") for job in added if of(job) not in known}
    assert names == {*CONTRACTS, *(f"{contract}-2024-01-02-09-30" for contract in CONTRACTS)}
    deployment = await server.client.read_deployment_by_name(ORCHESTRATOR)
    assert deployment.job_variables["image"] == IMAGE


def in_the_console(folders: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command with the variables of the console's pod, and with this machine's places."""
    of_the_pod = RELEASE.settings() | RELEASE.variables("console")
    environment = {name: value for name, value in of_the_pod.items() if isinstance(value, str)}
    here = {
        "PATH": os.environ["PATH"],
        "HOME": str(Path(folders["input_dir"]).parent),
        "PREFECT_API_URL": os.environ["PREFECT_API_URL"],
        "PREFECT_API_AUTH_STRING": PASSWORD,
        "TRADING_INPUT_DIR": folders["input_dir"],
        "TRADING_OUTPUT_DIR": folders["output_dir"],
        "TRADING_SERVER_DIR": str(Path(folders["input_dir"]).with_name("server")),
    }
    return subprocess.run(
        [*TRADING, *arguments], env=environment | here,
        capture_output=True, text=True, check=False, timeout=WAIT_SECONDS,
    )  # fmt: skip
