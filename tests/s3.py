"""One real S3 server for the whole test session, whatever number of workers share it.

The first test that asks for `s3_server` starts it; like the Prefect server of `conftest.py` it
ends with the session, even with one that is killed, because its lifeline does.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from servers.s3 import REGION, Identity, new_identity, start_s3_server


@dataclass(frozen=True, slots=True)
class SessionS3:
    """The session's S3 server: its address, and two who may use it.

    Attributes:
        endpoint_url: Its address.
        owner: May do everything.
        reader: May read and list, and not write.
    """

    endpoint_url: str
    owner: Identity
    reader: Identity

    def environment(self, identity: Identity | None = None) -> dict[str, str]:
        """AWS environment variables with which an identity, the owner by default, uses it."""
        who = identity or self.owner
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": who.access_key,
            "AWS_SECRET_ACCESS_KEY": who.secret_key,
            "AWS_DEFAULT_REGION": REGION,
        }

    def new_bucket(self) -> str:
        """The URL of an empty bucket of its own."""
        bucket = f"test-{uuid4().hex[:12]}"
        filesystem = fsspec.filesystem(
            "s3",
            key=self.owner.access_key,
            secret=self.owner.secret_key,
            endpoint_url=self.endpoint_url,
        )
        filesystem.mkdir(bucket)
        return f"s3://{bucket}"


@pytest.fixture(scope="session")
def s3_server() -> SessionS3:
    """The session's S3 server."""
    folder = Path(os.environ["TEST_SERVER_FOLDER"])
    address = folder / "s3.json"
    with (folder / "s3-start.lock").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not address.exists():
            address.write_text(json.dumps(_start(folder)))
        told = json.loads(address.read_text())
    owner, reader = (Identity(**told[name]) for name in ("owner", "reader"))
    return SessionS3(told["endpoint_url"], owner, reader)


@pytest.fixture
def s3_bucket(s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket, with the environment that gives access to it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return s3_server.new_bucket()


def _start(folder: Path) -> Mapping[str, object]:
    reader = new_identity("reader", ["Read", "List"])
    lifeline = os.open(folder / "lifeline", os.O_RDONLY)
    with (folder / "server.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        server = start_s3_server(
            folder / "s3", others=[reader], stdin=lifeline, keep_open=[lock.fileno()]
        )
        os.close(lifeline)
        server.wait_until_healthy()
    return {
        "endpoint_url": server.endpoint_url,
        "owner": asdict(server.identity),
        "reader": asdict(reader),
    }
