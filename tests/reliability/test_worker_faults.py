"""Partitions in processes of their own: their worker meets faults of the server, or is killed."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType

from benchmarks.outages import MortalServer, mortal_server
from tests.reliability.faulty_server import Reply, answer, faulty_server

COMPLETE = {"total": 3, "completed": 3, "skipped": 0, "failed": 0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MortalServer]:
    """A server of their own: the worker of a session's server would take other tests' runs."""
    with mortal_server(tmp_path_factory.mktemp("server")) as running:
        yield running


async def demo(
    api_url: str, folder: Path, meanwhile: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """`trading demo` with a process for each of three partitions: what it prints at its end.

    Args:
        api_url: The server.
        folder: Where everything is kept.
        meanwhile: Called ten times a second with the command's process id.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from cli.app import main; main()", "demo", "--json",
        "--contracts", "AAPL", "--grain", "session", "--job-per", "partition",
        "--input-dir", str(folder / "input"), "--output-dir", str(folder / "output"),
        "--server-dir", str(folder / "demo"),
        env=os.environ | {"PREFECT_API_URL": api_url, "TRADING_PENDING_SECONDS": "10"},
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    ended = asyncio.create_task(process.communicate())
    try:
        async with asyncio.timeout(240):
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


async def states_below(api_url: str, orchestrator: str) -> dict[str, list[StateType | None]]:
    """The states of all runs that one command made, by name, the orchestrator's left out."""
    found: dict[str, list[StateType | None]] = {}
    async with PrefectClient(api_url) as client:
        level = [orchestrator]
        while level:
            body = {"parent_flow_run_id": {"any_": level}}
            children = await client.read_flow_runs(
                flow_run_filter=FlowRunFilter.model_validate(body), limit=200
            )
            for run in children:
                found.setdefault(run.name, []).append(run.state_type)
            level = [str(run.id) for run in children]
    return found


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


async def test_a_worker_and_its_jobs_outlast_a_server_that_fails_every_tenth_request(
    server: MortalServer, tmp_path: Path
) -> None:
    """Fails without PREFECT_CLIENT_RETRY_EXTRA_CODES in `CLIENT_SETTINGS`: the command ends."""
    fault = EveryTenth()
    async with faulty_server(server.api_url, fault) as way:
        report = await demo(way.api_url, tmp_path)
    assert report["partitions"] == COMPLETE
    assert set(fault.statuses) == {b"500", b"503", b"429", b"504"}
    states = await states_below(server.api_url, report["orchestrator_flow_run_id"])
    assert len(states) == 3 + 3, "partitions, and the contract, validation and aggregation"
    assert set(map(tuple, states.values())) == {(StateType.COMPLETED,)}, states


async def test_a_killed_worker_is_replaced_and_what_it_had_started_goes_on(
    server: MortalServer, tmp_path: Path
) -> None:
    """Fails without the restart in `LocalWorker`: what is not started yet is waited for in vain."""
    killed: list[int] = []

    def kill_once(command: int) -> None:
        # A partition's process is there: the contract's run has been started, others have not.
        if killed or not list((tmp_path / "output").glob("AAPL/2*.parquet")):
            return
        for child in psutil.Process(command).children(recursive=True):
            if "worker start" in " ".join(child.cmdline()):
                killed.append(child.pid)
                child.kill()
                return

    report = await demo(server.api_url, tmp_path, kill_once)
    assert len(killed) == 1
    assert report["partitions"] == COMPLETE
    states = await states_below(server.api_url, report["orchestrator_flow_run_id"])
    final = {StateType.COMPLETED, StateType.CRASHED}
    assert {state for attempts in states.values() for state in attempts} <= final, states
    assert all(attempts.count(StateType.COMPLETED) <= 1 for attempts in states.values())
    assert len(list((tmp_path / "output").glob("AAPL/2*.parquet"))) == 3
