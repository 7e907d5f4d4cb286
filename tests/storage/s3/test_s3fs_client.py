"""What s3fs does not document and this project relies on: each fails when s3fs changes it."""

from __future__ import annotations

import threading

import pytest

from storage.s3 import S3Credentials
from storage.s3fs_client import S3Client
from tests.s3_wire import Wire
from tests.storage.s3.conftest import Traffic


@pytest.fixture
def name(bucket: str) -> str:
    return bucket.removeprefix("s3://")


def test_a_request_is_one_call_of_the_stores_api_and_its_answer(
    name: str, traffic: Traffic
) -> None:
    from storage.s3 import s3_store  # noqa: PLC0415 - the client that `traffic` listens to

    client = S3Client(s3_store().filesystem)
    traffic.begin()
    put = client.request("put_object", Bucket=name, Key="a", Body=b"12345")
    head = client.request("head_object", Bucket=name, Key="a")
    assert traffic.requests == {"PutObject": 1, "HeadObject": 1}
    assert head["ContentLength"] == 5
    assert head["ETag"] == put["ETag"]


def test_a_body_is_read_whole_and_by_range(name: str) -> None:
    client = S3Client.of(S3Credentials())
    client.request("put_object", Bucket=name, Key="a", Body=b"12345")
    assert client.body("get_object", Bucket=name, Key="a") == b"12345"
    assert client.body("get_object", Bucket=name, Key="a", Range="bytes=1-2") == b"23"


def test_the_stores_refusals_are_pythons_errors_with_its_answer_as_cause(name: str) -> None:
    client = S3Client.of(S3Credentials())
    with pytest.raises(FileNotFoundError) as missing:
        client.body("get_object", Bucket=name, Key="missing")
    answer = getattr(missing.value.__cause__, "response", {})
    assert answer["Error"]["Code"] == "NoSuchKey"
    stranger = S3Client.of(S3Credentials("unknown", "x" * 20))
    with pytest.raises(PermissionError):
        stranger.request("head_bucket", Bucket=name)


def test_what_fails_is_not_sent_again(name: str, wire: Wire) -> None:
    """Neither by s3fs (`retries`) nor by botocore: that is `storage.directory`'s alone."""
    client = S3Client.of(S3Credentials())
    wire.refusals = 5
    with pytest.raises(OSError, match="x"):
        client.request("put_object", Bucket=name, Key="a", Body=b"1")
    assert wire.in_vain == 1


def test_threads_share_one_client(name: str) -> None:
    client = S3Client.of(S3Credentials())
    keys = [str(number) for number in range(8)]
    threads = [
        threading.Thread(
            target=client.request, args=("put_object",), kwargs={"Bucket": name, "Key": key}
        )
        for key in keys
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listing = client.request("list_objects_v2", Bucket=name)
    assert [entry["Key"] for entry in listing["Contents"]] == keys
