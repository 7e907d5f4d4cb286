"""A Job whose pod starts while the server restarts waits for it, and does its run then."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.client.schemas.objects import StateType

from fanout.prefect_engine.job_process import RUN_ID
from flows import first_contact
from flows.first_contact import read_run
from servers.prefect import available_port
from tests.flows.conftest import FILES, Pipeline
from tests.flows.test_job import ENTRYPOINT, new_run
from tests.reliability.faulty_server import faulty_server
from tests.waiting import WAIT_SECONDS


@contextmanager
def started(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The Job's process, in an empty folder as the image has one; killed at the end."""
    start = log.with_name("start")
    start.mkdir()
    with log.open("wb") as said:
        job = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **environment}, cwd=start, stdout=said, stderr=said,
        )  # fmt: skip
    try:
        yield job
    finally:
        job.kill()
        job.wait()


@pytest.mark.slow
@pytest.mark.parametrize("command", [["flows.job", ENTRYPOINT], ["flows.supervised_job"]])
async def test_a_process_that_finds_no_server_waits_and_then_does_its_run(
    pipeline: Pipeline, tmp_path: Path, command: list[str]
) -> None:
    """Without `read_run` it ends with a traceback: no client waits for one it has not met."""
    run = await new_run(pipeline)
    port = available_port(0)
    log = tmp_path / "log"
    environment = {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", RUN_ID: str(run.id)}
    async with asyncio.timeout(WAIT_SECONDS):
        with started(command, log, **environment) as job:
            while b"Waiting for" not in log.read_bytes():
                assert job.poll() is None, log.read_text()
                await asyncio.sleep(0.05)
            async with faulty_server(str(pipeline.client.api_url), lambda _: None, port=port):
                code = await asyncio.to_thread(job.wait)
    said = log.read_text()
    assert code == 0, said
    assert "Traceback" not in said
    assert (await pipeline.client.read_flow_run(run.id)).state_type is StateType.COMPLETED
    assert (pipeline.output / "AAPL" / FILES[0]).exists()


def test_a_server_that_does_not_come_is_named_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(first_contact, "PATIENCE_SECONDS", 0.0)

    def refuse(_: object) -> None:
        raise httpx.ConnectError("[Errno 111] Connection refused")

    url = httpx.URL("http://somebody:secret@prefect-server:4200/api")
    client: Any = SimpleNamespace(api_url=url, read_flow_run=refuse)
    with pytest.raises(SystemExit) as ended:
        read_run(client, uuid4())
    assert ended.value.code == (
        "PREFECT_API_URL=http://prefect-server:4200/api did not answer within 0 s "
        "([Errno 111] Connection refused); check that the server runs, then run the flow run again."
    )
