"""A Prefect server that is killed in the middle of somebody's work, and comes back."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from servers.prefect import LocalServer, available_port, start_server
from servers.process import stop_child

_LOOK_SECONDS = 0.2


@dataclass(slots=True)
class MortalServer:
    """A server of its own folder that can be killed and started again, at the same address.

    Attributes:
        folder: Where its data are; they survive.
        port: Where it listens.
        kills: How often it was killed.
    """

    folder: Path
    port: int = field(default_factory=lambda: available_port(0))
    kills: int = 0
    _running: LocalServer | None = None

    @property
    def api_url(self) -> str:
        """Its API."""
        return f"http://127.0.0.1:{self.port}/api"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._running = start_server(self.folder, self.port, keep_open=[])
        self._running.wait_until_healthy()

    def kill(self) -> None:
        """End it as a power cut does: nothing is flushed, nobody is told."""
        if self._running is None:
            raise RuntimeError("the server does not run")
        os.killpg(self._running.process.pid, signal.SIGKILL)
        self._running.process.wait()
        self.kills += 1

    def stop(self) -> None:
        """End it; safe when it has ended."""
        if self._running is not None:
            stop_child(self._running.process)


@contextmanager
def mortal_server(folder: Path) -> Iterator[MortalServer]:
    """Such a server, running; gone at the end of the block."""
    server = MortalServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def outages(
    server: MortalServer,
    progress: Callable[[], int],
    at: Sequence[int],
    meanwhile: Callable[[], object] = lambda: None,
) -> Iterator[None]:
    """Kill the server, and start it again, whenever the progress of the block has come so far.

    Args:
        server: The server.
        progress: Something that grows while the block works.
        at: The progress at which to kill it, in order.
        meanwhile: Called while it is dead: how long that lasts.
    """
    over = threading.Event()
    failures: list[BaseException] = []

    def interfere() -> None:
        try:
            for mark in at:
                while progress() < mark:
                    if over.wait(_LOOK_SECONDS):
                        return
                server.kill()
                meanwhile()
                server.start()
        except BaseException as error:  # noqa: BLE001 - told to the block's thread, below
            failures.append(error)

    thread = threading.Thread(target=interfere, name="outages")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]
