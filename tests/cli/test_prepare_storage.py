from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from cli.app import app
from flows.boundary import aws_credentials
from flows.boundary.settings import settings
from lake.market.inputs import FILES, open_market_data
from servers.prefect import available_port
from servers.s3 import REGION
from storage.s3 import S3Credentials, use_credentials
from tests.s3 import SessionS3


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Run the command with these arguments and environment variables."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str, **variables: str) -> Result:
        settings.cache_clear()
        return CliRunner().invoke(app, ["prepare-storage", *arguments], env=variables)

    yield run
    settings.cache_clear()


def test_buckets_and_sample_are_made_once(
    prepare: Callable[..., Result], s3_server: SessionS3, tmp_path: Path
) -> None:
    inside = f"prepared-{tmp_path.name.replace('_', '-')}"
    directories = {
        "TRADING_INPUT_DIR": f"s3://{inside}-in/input",
        "TRADING_OUTPUT_DIR": f"s3://{inside}-out/output",
        "TRADING_LAKE_DIR": f"s3://{inside}-lake/lake",
    }
    environment = s3_server.environment() | directories
    first = prepare("--sample-contracts", "10", **environment)
    assert first.exit_code == 0, first.stderr
    assert first.stdout.splitlines() == [
        f"Bucket {inside}-in is there.",
        f"Bucket {inside}-out is there.",
        f"Bucket {inside}-lake is there.",
        f"Market data in s3://{inside}-in/input: made for 10 contracts.",
    ]
    store = fsspec.filesystem(
        "s3",
        key=s3_server.owner.access_key,
        secret=s3_server.owner.secret_key,
        endpoint_url=s3_server.endpoint_url,
        skip_instance_cache=True,
    )
    made = {path: store.info(path)["ETag"] for path in store.ls(f"{inside}-in/input")}
    assert {path.rpartition("/")[2] for path in made} == set(FILES)
    again = prepare("--sample-contracts", "10", **environment)
    assert again.exit_code == 0, again.stderr
    assert "there already" in again.stdout
    store.invalidate_cache()
    assert {path: store.info(path)["ETag"] for path in store.ls(f"{inside}-in/input")} == made


def test_a_refused_key_is_one_sentence_at_once(
    prepare: Callable[..., Result], s3_server: SessionS3
) -> None:
    wrong = s3_server.environment() | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    answer = prepare("--wait", "600", **wrong, TRADING_INPUT_DIR="s3://refused/input")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.startswith("s3://refused: ")
    assert answer.stderr.count("\n") == 1


def test_a_store_that_does_not_come_up_is_given_up_in_time(prepare: Callable[..., Result]) -> None:
    nowhere = f"http://127.0.0.1:{available_port(0)}"
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    environment = keys | {"AWS_ENDPOINT_URL": nowhere, "TRADING_INPUT_DIR": "s3://absent/input"}
    answer = prepare("--wait", "1", **environment)
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.splitlines()[-1].startswith("s3://absent: ")


def test_local_folders_need_no_bucket(prepare: Callable[..., Result], tmp_path: Path) -> None:
    answer = prepare(
        "--sample-contracts", "10",
        TRADING_INPUT_DIR=str(tmp_path / "input"), TRADING_OUTPUT_DIR=str(tmp_path / "output"),
    )  # fmt: skip
    assert answer.exit_code == 0, answer.stderr
    assert "Bucket" not in answer.stdout
    assert {path.name for path in (tmp_path / "input").iterdir()} == set(FILES)


@pytest.mark.slow
def test_the_sample_is_made_with_the_credentials_of_a_block(
    prepare: Callable[..., Result], prefect_server: str, s3_server: SessionS3, tmp_path: Path
) -> None:
    where = AwsClientParameters(endpoint_url=s3_server.endpoint_url)
    block = AwsCredentials(
        aws_access_key_id=s3_server.owner.access_key,
        aws_secret_access_key=SecretStr(s3_server.owner.secret_key),
        region_name=REGION,
        aws_client_parameters=where,
    )

    async def save() -> None:
        await block.save("prepares", overwrite=True)

    asyncio.run(save())
    bucket = f"s3://block-{tmp_path.name.replace('_', '-')}"
    try:
        answer = prepare(
            "--sample-contracts", "10", PREFECT_API_URL=prefect_server,
            TRADING_AWS_CREDENTIALS_BLOCK="prepares",
            TRADING_INPUT_DIR=f"{bucket}/input", TRADING_OUTPUT_DIR=f"{bucket}/output",
        )  # fmt: skip
        assert answer.exit_code == 0, answer.stderr
        assert len(open_market_data(f"{bucket}/input").contracts) == 10
        assert s3_server.owner.secret_key not in answer.output
    finally:
        use_credentials(S3Credentials())
        aws_credentials._used.clear()


def test_credentials_of_a_block_need_the_server_that_holds_it(
    prepare: Callable[..., Result],
) -> None:
    nowhere = f"http://127.0.0.1:{available_port(0)}/api"
    answer = prepare(PREFECT_API_URL=nowhere, TRADING_AWS_CREDENTIALS_BLOCK="store")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert f"PREFECT_API_URL={nowhere} does not answer" in answer.stderr
