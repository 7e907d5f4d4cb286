"""What a real S3 server refuses is told in one sentence, before anything is written."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.checks import check_reachable, check_readable, check_writable
from storage.directory import open_directory
from storage.errors import LocationError, StorageError
from tests.markets import Market
from tests.s3 import SessionS3


def _refused(input_dir: str, output_dir: str) -> str:
    """What a run says that may read the one and write the other directory, and does nothing yet."""

    def begin() -> None:
        check_reachable(input_dir, "input_dir")
        check_reachable(output_dir, "output_dir")
        check_readable(open_directory(input_dir, "input_dir"), "input_dir")
        check_writable(open_directory(output_dir, "output_dir"), "output_dir")

    with pytest.raises((LocationError, StorageError)) as error:
        begin()
    message = str(error.value)
    assert message.count("\n") == 0
    assert len(message) < 400
    return message


def test_a_missing_bucket_is_named(bucket: str, market: Market) -> None:
    source = market.write(f"{bucket}/input")
    message = _refused("s3://no-such-bucket-here/input", bucket)
    assert message.startswith("s3://no-such-bucket-here/input: there is no such bucket; create it")
    message = _refused(source, "s3://no-such-bucket-here/output")
    assert message.startswith("s3://no-such-bucket-here/output: there is no such bucket; create it")


def test_an_empty_prefix_is_no_input(bucket: str) -> None:
    assert "is not an existing directory" in _refused(f"{bucket}/nothing", bucket)
    check_writable(open_directory(f"{bucket}/output", "output_dir"), "output_dir")
    assert not open_directory(bucket, "x").list_files("output")


def test_a_wrong_key_or_secret_is_told_without_showing_it(
    bucket: str, market: Market, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = market.write(f"{bucket}/input")
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    with caplog.at_level("DEBUG"):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
        message = _refused(source, bucket)
        assert "the secret key does not fit the access key; check AWS_ACCESS_KEY_ID" in message
        assert "not-the-secret" not in message
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "STRANGER")
        assert "the store does not know the access key" in _refused(source, bucket)
    assert secret not in caplog.text


def test_who_may_only_read_is_told_before_anything_is_written(
    bucket: str, market: Market, s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = market.write(f"{bucket}/input")
    for name, value in s3_server.environment(s3_server.reader).items():
        monkeypatch.setenv(name, value)
    check_readable(open_directory(source, "input_dir"), "input_dir")
    message = _refused(source, f"{bucket}/output")
    assert message.startswith(f"output_dir='{bucket}/output' is not a directory that can be writt")
    assert "it may not be written with this access key" in message


def test_no_credentials_at_all_are_told(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    assert "there are no usable AWS credentials" in _refused(bucket, bucket)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "there are no usable AWS credentials" in _refused(bucket, bucket)


def test_an_endpoint_that_is_down_or_no_url_is_told(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    message = _refused(bucket, bucket)
    assert "the store does not answer" in message
    assert "check AWS_ENDPOINT_URL and that the store is up" in message
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1")
    assert "AWS_ENDPOINT_URL is not a URL" in _refused(bucket, bucket)


def test_a_wrong_clock_is_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    late = datetime.now(UTC) + timedelta(hours=2)
    signing = "botocore.auth.get_current_datetime"
    monkeypatch.setattr(signing, lambda **_: late.replace(tzinfo=None))
    message = _refused(bucket, bucket)
    assert "this machine's clock differs too much from the store's; set the clock" in message
