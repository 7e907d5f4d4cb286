"""A canary in the place of a secret: after failures of every kind it is nowhere to be read."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.schemas.filters import FlowRunFilter
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials
from pydantic import SecretStr

import flows.analyze_time_partition_flow
from fanout.runs import read_all
from flows.boundary import aws_credentials
from flows.boundary.settings import settings
from storage.s3 import S3Credentials, use_credentials
from tests.cli.conftest import run, start  # noqa: F401 - fixtures
from tests.flows.conftest import Pipeline, pipeline, registered, small_market  # noqa: F401
from tests.reliability.runs import runs_of
from tests.s3 import SessionS3

Run = Callable[..., subprocess.CompletedProcess[str]]
CANARY = f"canary{uuid4().hex}"
NOWHERE = f"http://nobody:{CANARY}@127.0.0.1:9"
"""A port at which nobody answers, in a URL with a password."""

BAR = "2024-01-02T09:30:00-05:00"


@pytest.fixture
def wrong_secret(s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The canary as the secret of somebody whom the store knows; the URL of a bucket there."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    yield s3_server.new_bucket()
    use_credentials(S3Credentials())
    aws_credentials._used.clear()
    settings.cache_clear()


@pytest.mark.slow
async def test_no_failure_shows_a_secret(  # noqa: PLR0917 - fixtures
    pipeline: Pipeline,  # noqa: F811
    run: Run,  # noqa: F811
    s3_server: SessionS3,
    wrong_secret: str,
    prefect_server: str,
    server_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Fails when a message quotes a request, a URL or the credentials: e.g. with the endpoint's
    URL as it is in the messages of `storage.s3`, or with the server's in `servers.connection`."""
    ids = []
    told = []

    # The store knows the key and refuses the secret, at reading and at writing.
    source, target = str(pipeline.input), f"{wrong_secret}/output"
    one = {"contract": "AAPL", "timestamp": BAR, "input_dir": source, "output_dir": target}
    for deployment, parameters in [
        ("trading-orchestrator/orchestrator", {"input_dir": wrong_secret, "output_dir": target}),
        ("trading-orchestrator/orchestrator", {"input_dir": source, "output_dir": target}),
        ("analyze-symbol/analyze-symbol", {k: v for k, v in one.items() if k != "timestamp"}),
        ("analyze-time-partition/analyze-time-partition", one),
        ("aggregate-portfolio/aggregate-portfolio", {"output_dir": target}),
        ("validate-data/validate-data", {"input_dir": wrong_secret}),
    ]:
        ended = await pipeline.run(deployment, parameters)
        assert ended.state.is_failed()
        ids.append(ended.id)

    # A store at a URL with a password, where nobody answers.
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    ended = await pipeline.run("analyze-time-partition/analyze-time-partition", one)
    assert ended.state.is_failed()
    ids.append(ended.id)

    # The same secret in a block of the server, whose store refuses it.
    block = AwsCredentials(
        aws_access_key_id=s3_server.owner.access_key,
        aws_secret_access_key=SecretStr(CANARY),
        aws_client_parameters=AwsClientParameters(endpoint_url=s3_server.endpoint_url),
    )
    await block.save("canary", overwrite=True)
    monkeypatch.setenv("TRADING_AWS_CREDENTIALS_BLOCK", "canary")
    settings.cache_clear()
    ended = await pipeline.run("analyze-time-partition/analyze-time-partition", one)
    assert ended.state.is_failed()
    ids.append(ended.id)

    # A fault of our own, with a stack trace, while a partition is computed.
    def broken(*_: object) -> None:
        secret = CANARY
        raise RuntimeError(f"a fault of {len(secret)} letters")

    monkeypatch.setattr(flows.analyze_time_partition_flow, "run_partition", broken)
    local = await pipeline.orchestrate(contracts=["AAPL"], grain="session")
    assert local.state.is_failed()
    below = await runs_of(pipeline.client, pipeline.output)
    ids += [made.id for level in below.values() for made in level]
    told.append(await pipeline.log(*ids))
    assert "Traceback" in told[-1], "the fault's stack trace is there to be looked at"

    # The command: a store that refuses the secret; a server with a password in its URL.
    monkeypatch.delenv("TRADING_AWS_CREDENTIALS_BLOCK")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint_url)
    address = {"PREFECT_API_URL": f"{NOWHERE}/api", "PREFECT_API_KEY": CANARY}
    for arguments, environment in [
        (["--input-dir", source, "--output-dir", target], {"PREFECT_API_URL": prefect_server}),
        (["--input-dir", source], address),
    ]:
        ended_command = run("demo", "--json", "--contracts", "1", *arguments, **environment)
        assert ended_command.returncode != 0
        told += [ended_command.stdout, ended_command.stderr]

    every = await read_all(pipeline.client, FlowRunFilter())
    assert {run.id for run in every} >= set(ids)
    told += [run.model_dump_json() for run in every]
    for run_id in ids:
        told.append(json.dumps(await pipeline.artifacts(run_id), default=str))
    assert not [text for text in told if CANARY in text]
    assert _files_with(CANARY, server_folder, tmp_path) == []


def _files_with(secret: str, *folders: Path) -> list[Path]:
    """Files that hold the secret: the server's database and logs, what the commands left."""
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert any(file.suffix == ".db" for file in files), "the database is among them"
    return [file for file in files if secret.encode() in file.read_bytes()]
