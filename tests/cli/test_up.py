from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate

from cli.commands.up import _contracts, instructions, wait_for_end
from cli.pipeline.pipeline import worker_for
from servers.connection import Connection
from servers.errors import CommandError
from servers.prefect import LocalServer
from tests.cli.conftest import Start
from tests.waiting import WAIT_SECONDS


@pytest.fixture
def ended() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process


def test_a_child_that_ends_by_itself_is_named_with_the_end_of_its_log(
    tmp_path: Path, ended: subprocess.Popen[bytes]
) -> None:
    log = tmp_path / "worker.log"
    log.write_text("first\nthe reason\n")
    with pytest.raises(CommandError) as caught:
        wait_for_end({log: ended})
    assert str(caught.value).startswith(f"The local worker ended by itself; the end of {log}:")
    assert str(caught.value).endswith("the reason")


def test_the_instructions_say_how_another_terminal_reaches_our_server(
    tmp_path: Path, ended: subprocess.Popen[bytes]
) -> None:
    server = LocalServer(tmp_path, 4300, ended)
    text = instructions(Connection(server.api_url, server), "trading", ["AAPL", "600519"])
    assert re.search(r"^Prefect UI +http://127.0.0.1:4300$", text, re.MULTILINE)
    assert "  export PREFECT_API_URL=http://127.0.0.1:4300/api\n" in text
    assert "deployment run trading-orchestrator/orchestrator --param num_contracts=2\n" in text
    assert "deployment run analyze-symbol/analyze-symbol --param contract=AAPL\n" in text


def test_without_market_data_they_are_to_be_fetched_first() -> None:
    text = instructions(Connection("http://prefect.example/api", None), "trading", [])
    assert "deployment run ingest-market-data/ingest-market-data\n" in text
    assert "orchestrator" not in text


def test_a_place_without_market_data_is_no_reason_to_end(tmp_path: Path) -> None:
    assert _contracts(str(tmp_path / "none")) == ()


def test_a_server_that_was_there_before_needs_no_export_and_is_not_stopped() -> None:
    text = instructions(Connection("http://prefect.example/api", None), "trading", ["AAPL"])
    assert "export" not in text
    assert text.endswith("Ctrl-C stops the worker.")


async def test_a_pool_whose_jobs_run_elsewhere_gets_no_worker_of_ours(
    start: Start, prefect_server: str, prefect_client: PrefectClient, tmp_path: Path
) -> None:
    """Its runs would be taken from the worker they are meant for."""
    cluster, machine = WorkPoolCreate(name="a-cluster", type="kubernetes"), "not-there-yet"
    await prefect_client.create_work_pool(cluster)
    log = tmp_path / "worker.log"
    chosen = await asyncio.to_thread(worker_for, "partition", cluster.name, log)
    assert isinstance(chosen, contextlib.nullcontext)
    assert isinstance(worker_for("run", machine, log), contextlib.nullcontext)
    chosen = await asyncio.to_thread(worker_for, "partition", machine, log)
    assert not isinstance(chosen, contextlib.nullcontext)

    command = start("up", PREFECT_API_URL=prefect_server, TRADING_WORK_POOL=cluster.name)
    _, stderr = command.communicate(timeout=WAIT_SECONDS)
    assert command.returncode == 2, stderr
    assert "TRADING_WORK_POOL='a-cluster' is a work pool of type kubernetes" in stderr
    queues = await prefect_client.read_work_queues(work_pool_name=cluster.name)
    assert [queue.name for queue in queues] == ["default"], "nothing was registered"
