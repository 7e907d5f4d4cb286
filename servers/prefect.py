"""A Prefect server of the project's own: one per data folder, on the loopback interface.

Its data (SQLite database, logs) live in `.trading/` of the project and survive between runs.
A lock on `.trading/server.lock`, inherited by the server process, is held for as long as either
that process or the command that started it lives, so two servers never share one database.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from servers.errors import USAGE, CommandError
from servers.process import is_alive, start_child, stopping
from servers.start_up import HOST, LOOK_SECONDS, StartUp, answers, bound_port, exclusive

DEFAULT_PORT = 4200
START_SECONDS = 180.0
"""How long the first start, which creates the database, may take on a busy machine."""

_LAST_PORT = 65_535

SERVER_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # Marking a backlog of waiting runs Late, one write each, is what locks SQLite.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    # Looking every 20 s at each unfinished child, whether its parent was cancelled, costs more
    # than running it where there are a thousand. Our parents cancel their children themselves.
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "300",
    # Health alone makes a hundred thousand runs a year; by default only events are removed.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
}
"""Defaults of the local server, which the user's own environment overrides."""

_CLIENT_ONLY = {"PREFECT_API_URL", "PREFECT_PROFILE"}
"""What would point the server's UI, or its settings, at something else."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server process of ours.

    Attributes:
        folder: Where its data, its lock and its log are.
        port: Where it listens on the loopback interface.
        process: The process.
    """

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def api_url(self) -> str:
        """What `PREFECT_API_URL` has to be to use it."""
        return api_url(self.port)

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.folder / "logs" / "server.log"

    def client_settings(self) -> dict[str, str]:
        """Environment variables with which Prefect talks to this server, and to no other."""
        return {"PREFECT_API_URL": self.api_url, "PREFECT_HOME": str(self.folder / "prefect")}

    def wait_until_healthy(self) -> None:
        """Return once the server answers, and no other in its place.

        Raises:
            CommandError: Another process took its port, it ended, or it did not answer in
                `START_SECONDS`.
        """
        health = f"{self.api_url}/health"
        start_up = StartUp(
            name="Prefect", process=self.process, port=self.port, health_url=health, log=self.log
        )
        start_up.wait(START_SECONDS, on_stranger=lambda: available_port(self.port))


def project_root() -> Path:
    """The project's folder: where this package is checked out, else the current directory."""
    checkout = Path(__file__).resolve().parent.parent
    # Not by `pyproject.toml`: a library that the image has puts its own beside the packages.
    return checkout if (checkout / "prefect.yaml").is_file() else Path.cwd()


def default_folder() -> Path:
    """The folder, ignored by git, that keeps the local server's data between runs."""
    return project_root() / ".trading"


@contextlib.contextmanager
def local_server(folder: Path, port: int) -> Iterator[LocalServer]:
    """A Prefect server for the data in `folder`: started on entry, gone on exit.

    It takes seconds until it answers; `wait_until_healthy` waits for that.

    Args:
        folder: Where its data are; created when missing.
        port: The port on the loopback interface; 0 takes a free one.

    Raises:
        CommandError: The port is taken, or a server for this folder already runs. Nothing was
            started.
    """
    with exclusive(folder, "server.lock", "Prefect", lambda text: _held(folder, text)) as lock:
        port = available_port(port)
        _describe_holder(lock, port)
        server = start_server(folder, port, keep_open=[lock])
        with stopping(server.process):
            yield server


def start_server(
    folder: Path, port: int, *, stdin: int = subprocess.PIPE, keep_open: Sequence[int]
) -> LocalServer:
    """Start a server that someone else stops; see `start_child` for the keyword arguments."""
    inherited = {key: value for key, value in os.environ.items() if key not in _CLIENT_ONLY}
    named = any(name.startswith("PREFECT_") and "DATABASE" in name for name in inherited)
    database = {} if named else {"PREFECT_SERVER_DATABASE_CONNECTION_URL": _database_url(folder)}
    env = SERVER_SETTINGS | database | inherited
    env["PREFECT_HOME"] = str(folder / "prefect")
    # As settings, not as arguments: the UI's pages ask the API at the address the settings name.
    env |= {"PREFECT_SERVER_API_HOST": HOST, "PREFECT_SERVER_API_PORT": str(port)}
    log = folder / "logs" / "server.log"
    arguments = ["server", "start"]
    child = start_child("prefect", arguments, log=log, env=env, stdin=stdin, keep_open=keep_open)
    return LocalServer(folder, port, child)


def _database_url(folder: Path) -> str:
    """The folder's database; a URL that is given counts before any file of settings."""
    return f"sqlite+aiosqlite:///{(folder / 'prefect' / 'prefect.db').absolute()}"


def api_url(port: int) -> str:
    """The API of a local server on this port."""
    return f"http://{HOST}:{port}/api"


def running_api_url(folder: Path) -> str | None:
    """The API of the local server for `folder`, when one runs and answers; starts none.

    A server whose command was killed does not count: it answers, but is about to end.
    """
    try:
        holder = json.loads((folder / "server.lock").read_bytes())
        command, url = int(holder["pid"]), str(holder["api_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return url if is_alive(command) and is_healthy(url, LOOK_SECONDS) else None


def is_healthy(url: str, timeout: float) -> bool:
    """Whether a Prefect API answers at this URL within `timeout` seconds."""
    return answers(f"{url}/health", timeout)


def available_port(port: int) -> int:
    """`port` when it is free, or a free one for 0.

    Raises:
        CommandError: There is no such port, or something listens on it already.
    """
    if not 0 <= port <= _LAST_PORT:
        raise CommandError(
            f"port={port} is not between 0 and {_LAST_PORT}; pass e.g. --port {DEFAULT_PORT}, or "
            "0 to take a free one.",
            USAGE,
        )
    try:
        return bound_port(port)
    except OSError as error:
        raise CommandError(
            f"port={port} is not free on {HOST} ({error.strerror}); pass --port with another "
            f"number such as {port + 1}, or set PREFECT_API_URL to use the server there.",
            USAGE,
        ) from None


def _describe_holder(lock: int, port: int) -> None:
    """Say in the lock file who holds it, for the message of the next one."""
    os.pwrite(lock, json.dumps({"pid": os.getpid(), "api_url": api_url(port)}).encode(), 0)


def _held(folder: Path, description: bytes) -> str:
    try:
        holder: Mapping[str, object] = json.loads(description)
    except ValueError:
        return f"A local server for {folder} runs already, or just now starts; stop it first."
    return (
        f"A local server for {folder} already runs (process {holder['pid']}); stop it, or use it: "
        f"PREFECT_API_URL={holder['api_url']}."
    )
