"""Partitions in processes of their own: the server fails now and then, and the worker is killed."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType

from benchmarks.outages import MortalServer
from cli.pipeline.sample_data import SAMPLE_CONTRACTS, ensure_market_data
from flows.deploy.registration import register_deployments
from lake.grain import Grain
from lake.market.compute import run_partition
from tests.markets import request_of
from tests.reliability.faults import Faults
from tests.reliability.faulty_server import Reply, answer, faulty_server
from tests.waiting import WAIT_SECONDS
from trading.strategies.market_model.parameters import StrategyParameters

DONE_BEFORE = "2024-01-02T09:30:00-05:00"


class EveryTenth:
    """Each tenth request meets the next of these faults; the API's own health and events pass."""

    def __init__(self) -> None:
        self._faults = itertools.cycle(
            [answer(500), answer(503), answer(429, "retry-after: 1"), answer(504)]
        )
        self._numbers = itertools.count(1)
        self.statuses: Counter[bytes] = Counter()

    def __call__(self, path: str) -> Reply:
        if "health" in path or "events" in path or next(self._numbers) % 10:
            return None
        fault = next(self._faults)
        self.statuses[fault[9:12]] += 1
        return fault


async def demo(
    folder: Path, environment: dict[str, str], meanwhile: Callable[[int], object]
) -> dict[str, Any]:
    """`trading demo` with a process for each partition of a contract: what it prints at its end.

    Args:
        folder: Where everything is kept.
        environment: Its environment, beside this process's.
        meanwhile: Called ten times a second with the command's process id.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from cli.app import main; main()", "demo", "--json",
        "--contracts", "AAPL", "--grain", "session", "--job-per", "partition",
        "--input-dir", str(folder / "input"), "--output-dir", str(folder / "output"),
        "--server-dir", str(folder / "demo"), "--make-sample",
        env=os.environ | environment,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    ended = asyncio.create_task(process.communicate())
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not ended.done():
                meanwhile(process.pid)
                await asyncio.wait([ended], timeout=0.1)
    finally:
        if process.returncode is None:
            process.kill()
    stdout, _ = await ended
    assert process.returncode == 0
    report: dict[str, Any] = json.loads(stdout)
    return report


async def states_below(client: PrefectClient, orchestrator: str) -> dict[str, list[StateType]]:
    """The states of all runs that one command made, by name, the orchestrator's left out."""
    found: dict[str, list[StateType]] = {}
    level = [orchestrator]
    while level:
        body = {"parent_flow_run_id": {"any_": level}}
        children = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate(body), limit=200
        )
        for run in children:
            assert run.state_type is not None
            found.setdefault(run.name, []).append(run.state_type)
        level = [str(run.id) for run in children]
    return found


@pytest.mark.slow
async def test_a_server_that_fails_every_tenth_request_and_a_killed_worker_lose_no_partition(
    own_server: MortalServer, tmp_path: Path
) -> None:
    """One partition may run at a time: while it is about to write its result, the worker is killed.

    Fails without PREFECT_CLIENT_RETRY_EXTRA_CODES in `CLIENT_SETTINGS`: the command, its worker or
    a job ends at a 500. Fails without the restart in `LocalWorker`: the second partition is waited
    for in vain. Fails when a crash is not asked for its result: the first is computed again.
    """
    source, output = str(tmp_path / "input"), str(tmp_path / "output")
    ensure_market_data(source, SAMPLE_CONTRACTS)
    run_partition(
        request_of(source, output, "AAPL", Grain.SESSION, StrategyParameters()),
        DONE_BEFORE,
        "an earlier run",
    )
    (tmp_path / "faults").mkdir()
    faults = Faults(tmp_path / "faults")
    held = faults.hold("before", ".parquet")
    killed: list[int] = []

    def kill_once(command: int) -> None:
        if killed or not faults.holds(held):
            return
        for child in psutil.Process(command).children(recursive=True):
            if "worker start" in " ".join(child.cmdline()):
                killed.append(child.pid)
                child.kill()
                child.wait(WAIT_SECONDS)
        faults.let_go(held)

    fault = EveryTenth()
    async with PrefectClient(own_server.api_url) as client:
        await register_deployments(client, "trading", partition_limit=1)
        async with faulty_server(own_server.api_url, fault) as way:
            environment = faults.environment() | {"PREFECT_API_URL": way.api_url}
            report = await demo(tmp_path, environment, kill_once)
        states = await states_below(client, report["orchestrator_flow_run_id"])
    assert len(killed) == 1
    assert set(fault.statuses) == {b"500", b"503", b"429", b"504"}
    assert report["partitions"] == {"total": 3, "completed": 2, "skipped": 1, "failed": 0}
    assert {file.name for file in (tmp_path / "output/AAPL").iterdir()} == {
        "20240102.parquet", "20240103.parquet", "20240104.parquet",
    }  # fmt: skip
    final = {StateType.COMPLETED, StateType.CRASHED}
    assert {state for attempts in states.values() for state in attempts} <= final, states
    assert len(states["AAPL 2024-01-03"]) == len(states["AAPL 2024-01-04"]) == 1, states
