"""A Postgres server of the project's own: one per folder, reached over a socket in it.

The first command that needs it starts it, others share it, and it ends after the last of them,
however that one ends. A command that comes while it is ending waits, and starts it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from servers.errors import CommandError
from servers.postgres import locks
from servers.postgres.cluster import DATABASE, ROLE, prepare_data
from servers.postgres.programs import Account, environment, program
from servers.process import log_tail

START_SECONDS = 180.0
"""How long it may take to answer: after a crash it replays what was not yet in the data files."""

_POLL_SECONDS = 0.05
_LONGEST_FOLDER = 85
"""Bytes of a path to a socket's folder; with the socket's name systems take about 100."""

_STATE = "server.json"
_keepers: list[subprocess.Popen[bytes]] = []
"""Keepers that this process started: they may outlive its use of the server."""

_SETTINGS = {
    # Nothing but the socket: no port to guess, and no password to keep.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # One for each month's table and its index that a statement touches.
    "max_locks_per_transaction": "512",
    "max_wal_size": "4GB",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server that answers.

    Attributes:
        folder: Where its data, its locks and its log are.
        socket_folder: Where its socket is.
    """

    folder: Path
    socket_folder: Path

    @property
    def url(self) -> str:
        """What `TRADING_DATABASE_URL` has to be to use it; it holds no secret."""
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self.socket_folder), safe='')}"

    @property
    def log(self) -> Path:
        """What the server writes."""
        return _log(self.folder)


@contextlib.contextmanager
def local_postgres(
    folder: Path, settings: Mapping[str, str] | None = None
) -> Iterator[PostgresServer]:
    """The server for the data in `folder`, started when none runs; it answers.

    Args:
        folder: Where its data are; made when missing, for its owner alone.
        settings: More of Postgres' settings, for a server that this call starts.

    Raises:
        CommandError: It is not installed, the folder cannot be used, or it does not start.
    """
    folder = folder.absolute()
    _make(folder)
    with locks.opened(folder, locks.USERS) as users:
        server = _joined(folder, users, settings or {})
        try:
            yield server
        finally:
            _leave(folder, users)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The server's files need not be for anybody else's eyes.
        folder.chmod(0o700)
    except OSError as error:
        raise CommandError(
            f"{folder}, where the local database keeps its data, cannot be used "
            f"({error.strerror}); make it writable for user {os.geteuid()}, or set "
            "TRADING_DATABASE_URL to a server of your own."
        ) from None


def _joined(folder: Path, users: int, settings: Mapping[str, str]) -> PostgresServer:
    """Use the server that runs, or start one; one command at a time."""
    with locks.opened(folder, locks.START) as start:
        locks.wait_alone(start)
        locks.wait_shared(users)  # no longer than a server takes to end
        _end_abandoned(folder, users)
        if not locks.is_held(folder, locks.SERVER):
            _start(folder, settings)
        server = PostgresServer(folder, Path(str(_state(folder)["socket_folder"])))
        _wait_until_ready(server)
        return server


def _leave(folder: Path, users: int) -> None:
    """End the server when nobody else uses it, and come back when it has ended."""
    if locks.take_alone(users):
        _end(folder)
    else:
        # Others use it, which is no wait, or its keeper is ending it.
        locks.wait_shared(users)


def _end_abandoned(folder: Path, users: int) -> None:
    """End a server whose keeper was killed, unless others are using it."""
    if locks.is_held(folder, locks.KEEPER) or not locks.is_held(folder, locks.SERVER):
        return
    if locks.take_alone(users):
        _end(folder)
    locks.wait_shared(users)


def _start(folder: Path, settings: Mapping[str, str]) -> None:
    """Start a keeper, which starts the server."""
    with (
        locks.opened(folder, locks.SERVER) as server,
        locks.opened(folder, locks.KEEPER) as keeper,
    ):
        locks.wait_alone(server)
        locks.wait_alone(keeper)
        account = prepare_data(folder / "data")
        socket_folder = _new_socket_folder(folder, account)
        options = _SETTINGS | {"unix_socket_directories": str(socket_folder)} | dict(settings)
        settings_given = [f"--{name}={value}" for name, value in options.items()]
        command = account.command([program("postgres"), "-D", folder / "data", *settings_given])
        with _log(folder).open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules, no shell
                [sys.executable, "-m", "servers.postgres.keeper", folder, str(server), *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                env=environment(os.environ) | {"PYTHONPATH": os.pathsep.join(_import_path())},
                pass_fds=(server, keeper), start_new_session=True,
            )  # fmt: skip
    _keepers[:] = [process, *(former for former in _keepers if former.poll() is None)]
    state = {"keeper": process.pid, "socket_folder": str(socket_folder)}
    (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")


def _import_path() -> list[str]:
    """Where this package is: the keeper starts in another folder."""
    return [str(Path(__file__).resolve().parents[2])]


def _new_socket_folder(folder: Path, account: Account) -> Path:
    """An empty folder for the socket, for the server's user alone, with a path that is not long."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        shutil.rmtree(str(_state(folder)["socket_folder"]))
    path = folder / "socket"
    if len(os.fsencode(path)) > _LONGEST_FOLDER:
        path = Path(tempfile.mkdtemp(prefix="trading-postgres-"))
    path.mkdir(mode=0o700, exist_ok=True)
    os.chown(path, account.uid, account.gid)
    return path


def _wait_until_ready(server: PostgresServer) -> None:
    deadline = time.monotonic() + START_SECONDS
    host = str(server.socket_folder)
    probe = [str(program("pg_isready")), "-q", "-h", host, "-U", ROLE, "-d", DATABASE]
    while subprocess.run(probe, check=False, env=environment(os.environ)).returncode:  # noqa: S603
        ended = not locks.is_held(server.folder, locks.SERVER)
        if ended or time.monotonic() > deadline:
            raise CommandError(
                f"The local Postgres server {'ended' if ended else 'hung'} while starting; "
                f"the end of {server.log}:\n{log_tail(server.log)}"
            )
        time.sleep(_POLL_SECONDS)


def _end(folder: Path) -> None:
    """End the server and its keeper; nobody else uses it."""
    while locks.is_held(folder, locks.SERVER) or locks.is_held(folder, locks.KEEPER):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, IndexError, ValueError):
            if locks.is_held(folder, locks.KEEPER):
                os.kill(int(str(_state(folder)["keeper"])), signal.SIGTERM)
            else:
                file = folder / "data" / "postmaster.pid"
                os.kill(int(file.read_text().splitlines()[0]), signal.SIGINT)
        time.sleep(_POLL_SECONDS)
    socket_folder = Path(str(_state(folder)["socket_folder"]))
    shutil.rmtree(socket_folder, ignore_errors=True)
    for keeper in _keepers:
        keeper.poll()


def _state(folder: Path) -> Mapping[str, object]:
    """What the last start noted."""
    state: Mapping[str, object] = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    return state


def _log(folder: Path) -> Path:
    return folder / "postgres.log"
