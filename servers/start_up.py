"""What this project's own servers have in common while they start.

A folder that one of them has to itself, a port that is free, a look whether what answers there is
the process just started, and the end of its log when it is not.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from servers.errors import USAGE, CommandError
from servers.process import listens, log_tail
from servers.server_lock import server_lock

HOST = "127.0.0.1"
"""Where they listen: nobody on the network can reach it."""

LOOK_SECONDS = 2.0
"""How long one look whether a server answers may take."""

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class StartUp:
    """A server that has been started and may not answer yet.

    Attributes:
        name: What it is, for messages.
        process: Its process.
        port: Where it is to listen on the loopback interface.
        health_url: What answers 200 as soon as it is of use.
        log: What it writes.
    """

    name: str
    process: subprocess.Popen[bytes]
    port: int
    health_url: str
    log: Path

    def wait(self, seconds: float, on_stranger: Callable[[], object] | None = None) -> None:
        """Return once the server answers, and no other in its place.

        Args:
            seconds: How long it may take.
            on_stranger: Called when another process may have its port; may raise.

        Raises:
            CommandError: It ended, or did not answer in time.
        """
        deadline = time.monotonic() + seconds
        while not (healthy := answers(self.health_url, LOOK_SECONDS)) or not self._is_ours():
            ended = self.process.poll() is not None
            if on_stranger is not None and (healthy or ended):
                on_stranger()
            if ended or time.monotonic() > deadline:
                raise CommandError(
                    f"The local {self.name} server {'ended' if ended else 'hung'} while starting; "
                    f"the end of {self.log}:\n{log_tail(self.log)}"
                )
            time.sleep(_POLL_SECONDS)

    def _is_ours(self) -> bool:
        return listens(self.process, self.port)


def answers(url: str, timeout: float) -> bool:
    """Whether a GET of this URL is answered with 200 within `timeout` seconds."""
    if not url.startswith(("http://", "https://")):
        return False
    # A proxy of the environment has no way to this machine's loopback interface.
    proxies: dict[str, str] | None = {} if f"//{HOST}:" in url else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    try:
        with opener.open(url, timeout=timeout) as answer:
            return bool(answer.status == http.client.OK)
    except (OSError, http.client.HTTPException, ValueError):
        return False


def bound_port(port: int) -> int:
    """`port` when nobody listens there, or a free one for 0.

    Raises:
        OSError: It cannot be had.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server of ours can listen on the port."""
    try:
        bound_port(port)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return False
        raise
    return True


@contextlib.contextmanager
def exclusive(folder: Path, lock: str, name: str, held: Callable[[bytes], str]) -> Iterator[int]:
    """A server's folder to itself: the lock, as an open file descriptor that the server inherits.

    Args:
        folder: Made when missing.
        lock: The lock's file in it.
        name: What the server is, for messages.
        held: The message when a server has it, from what that wrote into the file.

    Raises:
        CommandError: A server has it, or the folder cannot be used.
    """
    file = folder / lock
    with contextlib.ExitStack() as taken:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = taken.enter_context(server_lock(file))
        except BlockingIOError:
            raise CommandError(held(file.read_bytes()), USAGE) from None
        except OSError as error:
            raise CommandError(
                f"{folder}, where the local {name} server keeps its data, cannot be written "
                f"({error.strerror}); make it writable, or pass --server-dir with another folder."
            ) from None
        yield descriptor
