"""A Prefect server of the project's own: one per data folder, on the loopback interface.

Its data (SQLite database, logs) live in `.trading/` of the project and survive between runs.
A lock on `.trading/server.lock`, inherited by the server process, is held for as long as either
that process or the command that started it lives, so two servers never share one database.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points, version
from pathlib import Path

from servers.errors import USAGE, CommandError
from servers.process import listens, log_tail, start_child, stopping
from servers.server_lock import server_lock

DEFAULT_PORT = 4200
HOST = "127.0.0.1"
START_SECONDS = 180.0
"""How long the first start, which creates the database, may take on a busy machine."""

_POLL_SECONDS = 0.05
_LAST_PORT = 65_535

SERVER_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # Marking a backlog of waiting runs Late, one write each, is what locks SQLite.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    # Looking every 20 s at each unfinished child, whether its parent was cancelled, costs more
    # than running it where there are a thousand. Our parents cancel their children themselves.
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "300",
}
"""Defaults of the local server, which the user's own environment overrides."""

REGISTERED_BLOCKS = "registered-blocks.txt"
"""In a server's folder: the packages whose block types its database has."""

_BLOCKS_ARE_REGISTERED = {
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    # Otherwise it loads every collection, to find that nothing is new.
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}
"""Spares a start the import of all Prefect collections, a third of it."""

_NAMES_DATABASE = re.compile(r"^\s*(export\s+)?PREFECT_\w*(DATABASE|PROFILES_PATH)", re.MULTILINE)
"""A line of `.env`, or of a profile, that names a database or profiles which may."""

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
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            ended = self.process.poll() is not None
            if ended:
                available_port(self.port)
            if ended or time.monotonic() > deadline:
                raise CommandError(
                    f"The local Prefect server {'ended' if ended else 'hung'} while starting; "
                    f"the end of {self.log}:\n{log_tail(self.log)}"
                )
            time.sleep(_POLL_SECONDS)
        if _fills_own_tables(self.folder, os.environ):
            # Once it answers it has. Without the note the next start does it again.
            with contextlib.suppress(OSError):
                (self.folder / REGISTERED_BLOCKS).write_text(_collections(), encoding="utf-8")

    def _answers(self) -> bool:
        """Whether this server answers; an error when another does."""
        if not is_healthy(self.api_url, timeout=2.0):
            return False
        if listens(self.process, self.port):
            return True
        available_port(self.port)
        return False


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
    with _exclusive(folder) as lock:
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
    spared = _BLOCKS_ARE_REGISTERED if _has_registered_blocks(folder, inherited) else {}
    database = _in_loop(folder) if _uses_own_database(folder, inherited) else {}
    env = SERVER_SETTINGS | database | spared | inherited
    env["PREFECT_HOME"] = str(folder / "prefect")
    # As settings, not as arguments: the UI's pages ask the API at the address the settings name.
    env |= {"PREFECT_SERVER_API_HOST": HOST, "PREFECT_SERVER_API_PORT": str(port)}
    log = folder / "logs" / "server.log"
    arguments = ["server", "start"]
    child = start_child("prefect", arguments, log=log, env=env, stdin=stdin, keep_open=keep_open)
    return LocalServer(folder, port, child)


def _in_loop(folder: Path) -> dict[str, str]:
    """The setting with which the server reaches the folder's database by `InLoopDialect`."""
    file = (folder / "prefect" / "prefect.db").absolute()
    return {"PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+inloop:///{file}"}


def _has_registered_blocks(folder: Path, env: Mapping[str, str]) -> bool:
    """Whether the folder's database has the block types of all collections installed now."""
    if not _fills_own_tables(folder, env):
        return False
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return (folder / "prefect" / "prefect.db").is_file() and (
            (folder / REGISTERED_BLOCKS).read_text(encoding="utf-8") == _collections()
        )
    return False


def _fills_own_tables(folder: Path, env: Mapping[str, str]) -> bool:
    """Whether a server's database is the one in its folder, and block types are left to us."""
    return _uses_own_database(folder, env) and not any(
        name.startswith("PREFECT_") and "BLOCK" in name for name in env
    )


def _uses_own_database(folder: Path, env: Mapping[str, str]) -> bool:
    """Whether nobody named a database: in the environment or where else Prefect reads settings."""
    if any(name.startswith("PREFECT_") and "DATABASE" in name for name in env):
        return False
    profiles = env.get("PREFECT_PROFILES_PATH") or folder / "prefect" / "profiles.toml"
    if any(map(_NAMES_DATABASE.search, (_text(Path(".env")), _text(Path(profiles))))):
        return False
    project = _table(_table(_toml(Path("pyproject.toml")), "tool"), "prefect")
    return not any(
        "profiles_path" in settings or "database" in _table(settings, "server")
        for settings in (_toml(Path("prefect.toml")), project)
    )


def _text(file: Path) -> str:
    """What a file of settings holds; nothing when it cannot be read, of which Prefect complains."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="utf-8")
    return ""


def _toml(file: Path) -> Mapping[str, object]:
    with contextlib.suppress(tomllib.TOMLDecodeError):
        return tomllib.loads(_text(file))
    return {}


def _table(parent: Mapping[str, object], key: str) -> Mapping[str, object]:
    table = parent.get(key)
    return table if isinstance(table, Mapping) else {}


def _collections() -> str:
    """Prefect and the packages that bring block types, with their versions."""
    found = {entry.dist for entry in entry_points(group="prefect.collections") if entry.dist}
    lines = {f"{dist.name} {dist.version}" for dist in found} | {f"prefect {version('prefect')}"}
    return "".join(f"{line}\n" for line in sorted(lines))


def api_url(port: int) -> str:
    """The API of a local server on this port."""
    return f"http://{HOST}:{port}/api"


def is_healthy(url: str, timeout: float) -> bool:
    """Whether a Prefect API answers at this URL within `timeout` seconds."""
    if not url.startswith(("http://", "https://")):
        return False
    # A proxy of the environment has no way to this machine's loopback interface.
    proxies: dict[str, str] | None = {} if f"//{HOST}:" in url else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    try:
        with opener.open(f"{url}/health", timeout=timeout) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP OK
    except (OSError, http.client.HTTPException, ValueError):
        return False


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
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CommandError(
                f"port={port} is not free on {HOST} ({error.strerror}); pass --port with another "
                f"number such as {port + 1}, or set PREFECT_API_URL to use the server there.",
                USAGE,
            ) from None
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _exclusive(folder: Path) -> Iterator[int]:
    """The folder's lock, as an open file descriptor."""
    file = folder / "server.lock"
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = held.enter_context(server_lock(file))
        except BlockingIOError:
            raise CommandError(_already_running(folder, file.read_bytes()), USAGE) from None
        except OSError as error:
            raise CommandError(
                f"{folder}, where the local Prefect server keeps its data, cannot be written "
                f"({error.strerror}); make it writable or set PREFECT_API_URL to use another "
                "server."
            ) from None
        yield lock


def _describe_holder(lock: int, port: int) -> None:
    """Say in the lock file who holds it, for the message of the next one."""
    os.pwrite(lock, json.dumps({"pid": os.getpid(), "api_url": api_url(port)}).encode(), 0)


def _already_running(folder: Path, description: bytes) -> str:
    try:
        holder: Mapping[str, object] = json.loads(description)
    except ValueError:
        return f"A local server for {folder} runs already, or just now starts; stop it first."
    return (
        f"A local server for {folder} already runs (process {holder['pid']}); stop it, or use it: "
        f"PREFECT_API_URL={holder['api_url']}."
    )
