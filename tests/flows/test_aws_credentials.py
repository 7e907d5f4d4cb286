"""Credentials for S3 from a Prefect block: what is read of it, and when."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from prefect.blocks.core import Block
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials, MinIOCredentials
from pydantic import SecretStr

from flows.boundary import aws_credentials
from flows.boundary.aws_credentials import AWS, MINIO, credentials_of, use_credentials_block
from flows.boundary.settings import Settings, settings
from storage.directory import open_directory
from storage.errors import StorageError
from storage.s3 import S3Credentials, use_credentials
from tests.flows.conftest import Pipeline
from tests.markets import Market
from tests.s3 import SessionS3
from trading.errors import ParameterError


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No AWS environment before, none of a test's credentials after it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    yield
    use_credentials(S3Credentials())
    aws_credentials._used.clear()
    settings.cache_clear()


def block_of(kind: str, server: SessionS3, where: AwsClientParameters | None = None) -> Block:
    """A block of the real type that gives the rights of the server's owner."""
    where = where or AwsClientParameters(endpoint_url=server.endpoint_url)
    key, secret = server.owner.access_key, SecretStr(server.owner.secret_key)
    if kind == MINIO:
        return MinIOCredentials(
            minio_root_user=key, minio_root_password=secret, aws_client_parameters=where
        )
    return AwsCredentials(
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        aws_client_parameters=where,
    )


def test_both_types_of_block_are_understood() -> None:
    aws = {
        "aws_access_key_id": "K", "aws_secret_access_key": "S", "aws_session_token": "T",
        "profile_name": "p", "region_name": "eu-west-1",
        "aws_client_parameters": {"endpoint_url": "https://s3.example.com", "use_ssl": True},
    }  # fmt: skip
    expected = S3Credentials("K", "S", "T", "https://s3.example.com", "eu-west-1", "p")
    assert credentials_of(AWS, aws) == expected
    minio = {"minio_root_user": "K", "minio_root_password": "S", "aws_client_parameters": None}
    assert credentials_of(MINIO, minio) == S3Credentials("K", "S")
    assert "S" not in str(credentials_of(MINIO, minio)).replace("S3", "")


async def test_without_the_setting_no_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_credentials, "get_client", None)
    monkeypatch.setattr(aws_credentials, "settings", Settings)
    await use_credentials_block()


@pytest.mark.parametrize("kind", [AWS, MINIO])
async def test_a_run_uses_the_named_block_and_shows_its_secret_nowhere(
    pipeline: Pipeline,
    small_market: Market,
    s3_server: SessionS3,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    kind: str,
) -> None:
    await block_of(kind, s3_server).save("our-store", overwrite=True)
    monkeypatch.setenv("TRADING_AWS_CREDENTIALS_BLOCK", f"{kind}/our-store")
    settings.cache_clear()
    bucket = s3_server.new_bucket()
    await use_credentials_block()
    places = {
        "input_dir": small_market.write(f"{bucket}/input"),
        "output_dir": f"{bucket}/output",
    }
    use_credentials(S3Credentials())
    aws_credentials._used.clear()

    with caplog.at_level("DEBUG"):
        ended = await pipeline.orchestrate(num_contracts=1, grain="all", **places)
    assert ended.state.is_completed(), ended.message
    assert list(open_directory(places["output_dir"], "output_dir").list_files("AAPL"))
    children = await pipeline.children(ended.id)
    runs = [ended.run, *children]
    for child in children:
        runs += await pipeline.children(child.id)
    assert len(runs) == 5
    shown = [run.model_dump_json() for run in runs]
    shown += [json.dumps(await pipeline.artifacts(run.id), default=str) for run in runs]
    shown += [await pipeline.log(*[run.id for run in runs]), caplog.text]
    assert any(places["output_dir"] in text for text in shown)
    assert not [text for text in shown if s3_server.owner.secret_key in text]


@pytest.mark.parametrize("said", ["nothing", "its authority", "not to check"])
async def test_a_block_says_how_the_stores_certificate_is_checked(
    prefect_server: str,
    s3_server: SessionS3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    said: str,
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    bucket = s3_server.new_bucket()
    async with encrypted(s3_server.endpoint_url, authority) as endpoint_url:
        where = {
            "nothing": AwsClientParameters(endpoint_url=endpoint_url),
            "its authority": AwsClientParameters(
                endpoint_url=endpoint_url, verify_cert_path=tmp_path / "authority.pem"
            ),
            "not to check": AwsClientParameters(endpoint_url=endpoint_url, verify=False),
        }
        name = f"encrypted-{said.replace(' ', '-')}"
        await block_of(AWS, s3_server, where[said]).save(name, overwrite=True)
        monkeypatch.setattr(
            aws_credentials, "settings", lambda: Settings(aws_credentials_block=name)
        )
        await use_credentials_block()
        directory = replace(open_directory(f"{bucket}/x", "output_dir"), fail_fast=True)
        write = asyncio.to_thread(directory.write_bytes, "a", b"1")
        if said == "nothing":
            with pytest.raises(StorageError, match="certificate"):
                await write
        else:
            await write
            assert await asyncio.to_thread(directory.read_bytes, "a") == b"1"


@asynccontextmanager
async def encrypted(endpoint_url: str, authority: trustme.CA) -> AsyncIterator[str]:
    """The same store behind TLS, with a certificate of this authority."""
    target = urlsplit(endpoint_url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while content := await source.read(65_536):
            sink.write(content)
            await sink.drain()
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection(target.hostname, target.port)
            await asyncio.gather(pump(reader, back), pump(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_a_block_that_cannot_be_used_is_refused_before_anything_is_done(
    pipeline: Pipeline, s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_AWS_CREDENTIALS_BLOCK", "nobody")
    settings.cache_clear()
    ended = await pipeline.orchestrate()
    assert ended.state.is_failed()
    assert ended.message.startswith("TRADING_AWS_CREDENTIALS_BLOCK='aws-credentials/nobody' is not")
    assert "create it in the UI under Blocks" in ended.message

    role = AwsCredentials(assume_role_arn="arn:aws:iam::123456789012:role/reader")
    await role.save("a-role", overwrite=True)
    monkeypatch.setattr(
        aws_credentials, "settings", lambda: Settings(aws_credentials_block="a-role")
    )
    with pytest.raises(ParameterError, match="assumes a role; name a profile with that role_arn"):
        await use_credentials_block()


@pytest.mark.parametrize("name", ["", "other-type/x", "a/b/c", "x;y"])
def test_what_is_no_name_of_a_block_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="aws_credentials_block"):
        Settings(aws_credentials_block=name)
