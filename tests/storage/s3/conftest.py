"""What a test needs of a bucket: the requests that its client sends, and partitions to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from lake.market.compute import run_partition
from storage.s3 import S3Credentials, s3_store, use_credentials
from tests.markets import Market, request_of
from tests.s3 import SessionS3
from tests.s3_wire import Wire


@pytest.fixture
def bucket(s3_bucket: str) -> Iterator[str]:
    yield s3_bucket
    use_credentials(S3Credentials())


class Traffic:
    """Requests that a client sent, by operation, and the bytes of the bodies it received."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.received = 0

    def begin(self) -> None:
        self.requests.clear()
        self.received = 0


@pytest.fixture
def traffic(bucket: str) -> Iterator[Traffic]:
    """What this test's client sends, seen where botocore sends it."""
    seen, store = Traffic(), s3_store()
    store.filesystem.connect()
    events = store.filesystem.s3.meta.events

    def sent(model: object, **_: object) -> None:
        seen.requests[getattr(model, "name", "?")] += 1

    def answered(parsed: dict[str, object], **_: object) -> None:
        length = parsed.get("ContentLength", 0)
        seen.received += length if "Body" in parsed and isinstance(length, int) else 0

    events.register("before-call.s3.*", sent)
    events.register("after-call.s3.*", answered)
    yield seen
    events.unregister("before-call.s3.*", sent)
    events.unregister("after-call.s3.*", answered)


def runner_of(market: Market, source: str, target: str) -> Callable[[int], object]:
    """A function that computes the partition of AAPL at a row of the market."""

    def run(row: int) -> object:
        stamp = f"{market.timestamps[row].astype('datetime64[s]')}+00:00"
        return run_partition(request_of(source, target), stamp, "run")

    return run


@pytest.fixture
def wire(bucket: str, s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire(s3_server.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint_url)
    yield wire
    wire.close()
