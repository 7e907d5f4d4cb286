"""A Postgres server of the project's own: one per folder, reached over a socket in it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from servers.postgres.cluster import DATABASE, ROLE, prepare_data
from servers.postgres.programs import program
from servers.shared.server import Launch, SharedServer, environment

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
        return self.folder / "postgres.log"


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
    server = SharedServer(
        name="Postgres",
        folder=folder,
        purpose="the local database",
        alternative="set TRADING_DATABASE_URL to a server of your own",
        prepare=lambda: _launch(folder, settings or {}),
        is_ready=_is_ready,
        abandoned=lambda: _postmaster(folder),
    )
    with server.running() as socket_folder:
        yield PostgresServer(folder, socket_folder)


def _launch(folder: Path, settings: Mapping[str, str]) -> Launch:
    data = folder / "data"
    account = prepare_data(data)

    def command(socket_folder: Path) -> list[str]:
        options = _SETTINGS | {"unix_socket_directories": str(socket_folder)} | dict(settings)
        given = [f"--{name}={value}" for name, value in options.items()]
        return account.command([program("postgres"), "-D", data, *given])

    return Launch(command, account.uid, account.gid)


def _is_ready(socket_folder: Path) -> bool:
    probe = [str(program("pg_isready")), "-q", "-h", str(socket_folder), "-U", ROLE, "-d", DATABASE]
    done = subprocess.run(probe, check=False, env=environment(os.environ))  # noqa: S603 - our own
    return not done.returncode


def _postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
