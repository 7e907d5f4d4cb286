"""Credentials for S3 from a Prefect block: what is read of it, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from prefect.blocks.core import Block
from pydantic import SecretStr

from flows import aws_credentials
from flows.aws_credentials import AWS, MINIO, credentials_of, use_credentials_block
from flows.settings import Settings
from tests.s3 import SessionS3
from trading.errors import ParameterError
from trading.s3 import S3Credentials, use_credentials
from trading.storage import open_directory


class StandInCredentials(Block):
    """The fields of `AwsCredentials` that count; the real one would bring prefect_aws."""

    _block_type_name: ClassVar[str | None] = "AWS Credentials"
    _block_type_slug: ClassVar[str | None] = AWS
    aws_access_key_id: str | None = None
    aws_secret_access_key: SecretStr | None = None
    region_name: str | None = None
    aws_client_parameters: dict[str, Any] | None = None


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    use_credentials(S3Credentials())
    aws_credentials._used.clear()


def _named(monkeypatch: pytest.MonkeyPatch, block: str | None) -> None:
    settings = Settings(aws_credentials_block=block)
    monkeypatch.setattr(aws_credentials, "settings", lambda: settings)


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
    _named(monkeypatch, None)
    await use_credentials_block()


async def test_the_named_block_gives_access_and_another_name_is_refused(
    prefect_server: str, s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in s3_server.environment():
        monkeypatch.delenv(name, raising=False)
    block = StandInCredentials(
        aws_access_key_id=s3_server.owner.access_key,
        aws_secret_access_key=SecretStr(s3_server.owner.secret_key),
        region_name="us-east-1",
        aws_client_parameters={"endpoint_url": s3_server.endpoint_url},
    )
    await block.save("our-store", overwrite=True)
    _named(monkeypatch, "our-store")
    await use_credentials_block()
    directory = open_directory(s3_server.new_bucket(), "output_dir")
    directory.write_bytes("a", b"1")
    assert directory.read_bytes("a") == b"1"

    _named(monkeypatch, "aws-credentials/nobody")
    with pytest.raises(ParameterError, match="TRADING_AWS_CREDENTIALS_BLOCK='aws-credentials/nob"):
        await use_credentials_block()


@pytest.mark.parametrize("name", ["", "other-type/x", "a/b/c", "x;y"])
def test_what_is_no_name_of_a_block_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="aws_credentials_block"):
        Settings(aws_credentials_block=name)
