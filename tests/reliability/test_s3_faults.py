"""A store whose replies break off, come wrong, come late or refuse, in front of a real one."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

import storage.s3fs_client
from lake.market.compute import run_partition
from lake.market.dataset import RESULTS
from lake.planning import plan
from storage.directory import open_directory
from storage.errors import StorageError
from storage.s3 import S3Credentials, use_credentials
from tests.markets import random_market, request_of, session_timestamps
from tests.s3 import SessionS3

Mangle = Callable[[bytes], bytes | None]
"""What becomes of a piece of a reply; None when the connection is reset half-way."""

CONTENT = bytes(range(256)) * 64
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODY = b"<Error><Code>AccessDenied</Code><Message>x</Message></Error>"
_DENIED = (
    b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
    + _BODY
)


class BadLine:
    """A way to the store on which the next pieces of replies that are long enough are mangled."""

    def __init__(self, endpoint_url: str) -> None:
        host, _, port = endpoint_url.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._mangles: list[tuple[int, Mangle]] = []
        self.mangled = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def disturb(self, times: int, mangle: Mangle, longer_than: int = 0) -> None:
        self._mangles, self.mangled = [(longer_than, mangle)] * times, 0

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while content := server.recv(1 << 20):
                if self._mangles and len(content) > self._mangles[0][0]:
                    self.mangled += 1
                    changed = self._mangles.pop(0)[1](content)
                    if changed is None:
                        client.sendall(content[: len(content) // 2])
                        # Closing now resets the connection instead of ending it.
                        linger = struct.pack("ii", 1, 0)
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                        break
                    content = changed
                client.sendall(content)
        for end in (client, server):
            end.close()


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while content := client.recv(65_536):
            server.sendall(content)
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(
    s3_bucket: str, s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BadLine]:
    line = BadLine(s3_server.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.endpoint_url)
    # A silent store is given up after 20 s, or after 120 s where it need not speak; here after 2.
    monkeypatch.setattr(storage.s3fs_client, "READ_SECONDS", 2)
    monkeypatch.setattr(storage.s3fs_client, "REQUEST_SECONDS", 2)
    yield line
    line.close()
    use_credentials(S3Credentials())


def reset(_: bytes) -> None:
    return None


def silence(_: bytes) -> bytes:
    return b""


def flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 0xFF])


def deny(_: bytes) -> bytes:
    return _DENIED


@pytest.mark.parametrize("mangle", [reset, silence, flip])
def test_a_reply_that_breaks_off_or_is_late_or_wrong_is_asked_for_again(
    s3_bucket: str, line: BadLine, mangle: Mangle
) -> None:
    """Fails for `flip` without the sentence about checksums in `_without_reply`: not repeated."""
    directory = open_directory(s3_bucket, "input_dir")
    directory.write_bytes("a", CONTENT)
    line.disturb(2, mangle, longer_than=0 if mangle is silence else 4_000)
    assert directory.read_bytes("a") == CONTENT
    assert line.mangled == 2


@pytest.mark.parametrize("mangle", [reset, silence])
def test_what_was_not_acknowledged_is_written_again(
    s3_bucket: str, line: BadLine, mangle: Mangle
) -> None:
    """Fails for `silence` without REQUEST_SECONDS: the write never ends."""
    directory = open_directory(s3_bucket, "output_dir")
    line.disturb(1, mangle)
    directory.write_bytes("b", CONTENT)
    assert line.mangled == 1
    assert directory.read_bytes("b") == CONTENT


@pytest.mark.parametrize("seen", [False, True])
def test_a_write_whose_acknowledgement_was_lost_is_no_other_process(
    s3_bucket: str, line: BadLine, *, seen: bool
) -> None:
    """The store refuses the repeated request, which is not the whole answer."""
    directory = open_directory(s3_bucket, "output_dir")
    if seen:
        directory.write_bytes("d", b"before")
    before = directory.identity("d")
    line.disturb(1, reset, longer_than=len(_CONTINUE))
    assert directory.write_over("d", CONTENT, before)
    assert line.mangled == 1
    assert directory.read_bytes("d") == CONTENT
    assert not directory.write_over("d", b"of one who saw what was before", before)


@pytest.mark.parametrize("done", ["read", "written"])
def test_a_permission_withdrawn_meanwhile_fails_that_partition_alone_and_at_once(
    s3_bucket: str, line: BadLine, done: str
) -> None:
    """Fails when AccessDenied is among `_TRANSIENT_CODES`: it is asked for again and again."""
    market = random_market(session_timestamps(3), contracts=2)
    source, target = market.write(f"{s3_bucket}/input"), f"{s3_bucket}/output"

    def run(row: int) -> None:
        stamp = f"{market.timestamps[row].astype('datetime64[s]')}+00:00"
        run_partition(request_of(source, target), stamp, "run")

    run(0)
    directory = open_directory(target, "output_dir")
    line.disturb(1, deny)
    with pytest.raises(StorageError, match=f"it may not be {done} with this access key") as error:
        directory.read_bytes("AAPL/x") if done == "read" else directory.write_bytes("x", CONTENT)
    assert not error.value.transient
    assert line.mangled == 1
    run(1)
    (planned,) = plan(RESULTS, request_of(source, target))
    due = planned.due(reprocess=False)
    assert len(due) == 22
