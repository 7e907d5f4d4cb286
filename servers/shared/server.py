"""A server of the project's own: one per folder, reached over a socket in it.

The first command that needs it starts it, others share it, and it ends after the last of them,
however that one ends. A command that comes while it is ending waits, and starts it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from servers.errors import CommandError
from servers.process import log_tail
from servers.shared import keeper, locks

START_SECONDS = 180.0
"""How long it may take to answer: after a crash it replays what was not yet in the data files."""

ABANDONED_SECONDS = 10.0
"""How long a server without a keeper may take to write out what it has; then it ends without, and
its next start makes up for it from its log: one that is replaying it might take minutes."""

_POLL_SECONDS = 0.05
_LONGEST_FOLDER = 85
"""Bytes of a path to a socket's folder; with the socket's name systems take about 100."""

_STATE = "server.json"
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
_keepers: list[subprocess.Popen[bytes]] = []
"""Keepers that this process started: they may outlive its use of the server."""


def environment(surroundings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server: none of the secrets and settings of who starts it."""
    return {name: surroundings[name] for name in _KEPT if name in surroundings} | {"LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started.

    Attributes:
        command: The command, given the folder of its socket.
        uid: The user that it runs as.
        gid: That user's group.
    """

    command: Callable[[Path], Sequence[str]]
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class SharedServer:
    """A kind of server, and the folder of one of it.

    Attributes:
        name: What it is called, e.g. `Postgres`.
        folder: Where its data, its locks and its log are.
        purpose: What it is for, e.g. `the local database`.
        alternative: What a user can do who cannot run it.
        prepare: Make its data ready for a start, and say how; nobody runs on them meanwhile.
        is_ready: Whether a server with this socket's folder answers.
        abandoned: The process of a server whose keeper was killed.
    """

    name: str
    folder: Path
    purpose: str
    alternative: str
    prepare: Callable[[], Launch]
    is_ready: Callable[[Path], bool]
    abandoned: Callable[[], int]

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.folder / f"{self.name.lower()}.log"

    @contextlib.contextmanager
    def running(self) -> Iterator[Path]:
        """The folder of the socket of a server that answers, started when none runs.

        Raises:
            CommandError: The folder cannot be used, or the server does not start.
        """
        self._make_folder()
        with locks.opened(self.folder, locks.USERS) as users:
            socket_folder = self._joined(users)
            try:
                yield socket_folder
            finally:
                self._leave(users)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # The server's files need not be for anybody else's eyes.
            self.folder.chmod(0o700)
        except OSError as error:
            raise CommandError(
                f"{self.folder}, where {self.purpose} keeps its data, cannot be used "
                f"({error.strerror}); make it writable for user {os.geteuid()}, or "
                f"{self.alternative}."
            ) from None

    def _joined(self, users: int) -> Path:
        """Use the server that runs, or start one; one command at a time."""
        with locks.opened(self.folder, locks.START) as start:
            locks.wait_alone(start)
            locks.wait_shared(users)  # no longer than a server takes to end
            self._end_abandoned(users)
            if not locks.is_held(self.folder, locks.SERVER):
                self._start()
            socket_folder = Path(str(self._state()["socket_folder"]))
            self._wait_until_ready(socket_folder)
            return socket_folder

    def _leave(self, users: int) -> None:
        """End the server when nobody else uses it, and come back when it has ended."""
        if locks.take_alone(users):
            self._end()
        else:
            # Others use it, which is no wait, or its keeper is ending it.
            locks.wait_shared(users)

    def _end_abandoned(self, users: int) -> None:
        """End a server whose keeper was killed, unless others are using it."""
        if locks.is_held(self.folder, locks.KEEPER) or not locks.is_held(self.folder, locks.SERVER):
            return
        if locks.take_alone(users):
            self._end()
        locks.wait_shared(users)

    def _start(self) -> None:
        """Start a keeper, which starts the server."""
        with (
            locks.opened(self.folder, locks.SERVER) as server,
            locks.opened(self.folder, locks.KEEPER) as keeper,
        ):
            locks.wait_alone(server)
            locks.wait_alone(keeper)
            launch = self.prepare()
            socket_folder = self._new_socket_folder(launch)
            command = launch.command(socket_folder)
            with self.log.open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules, no shell
                    [sys.executable, "-m", "servers.shared.keeper",
                     self.folder, str(server), *command],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                    env=environment(os.environ) | {"PYTHONPATH": _import_path()},
                    pass_fds=(server, keeper), start_new_session=True,
                )  # fmt: skip
        _keepers[:] = [process, *(former for former in _keepers if former.poll() is None)]
        state = {
            "keeper": process.pid, "socket_folder": str(socket_folder), "folder": str(self.folder),
        }  # fmt: skip
        (self.folder / _STATE).write_text(json.dumps(state), encoding="utf-8")

    def _new_socket_folder(self, launch: Launch) -> Path:
        """An empty folder for the socket, for the server's user alone; its path is not long.

        It is where the last one was: who has that address finds the server again by it.
        """
        path = self.folder / "socket"
        if len(os.fsencode(path)) > _LONGEST_FOLDER:
            path = self._noted_folder() or self._temporary_folder()
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.mkdir(mode=0o700)
        if not _is_own_folder(path, launch.uid):
            path = self._temporary_folder()  # somebody else has taken the place meanwhile
        os.chown(path, launch.uid, launch.gid)
        return path

    def _noted_folder(self) -> Path | None:
        """Where the socket was when a server was started for this folder last."""
        try:
            state = self._state()
            is_ours = state["folder"] == str(self.folder)  # not so in a copy of it
            return Path(str(state["socket_folder"])) if is_ours else None
        except (OSError, ValueError, KeyError):
            return None

    def _temporary_folder(self) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"trading-{self.name.lower()}-"))

    def _wait_until_ready(self, socket_folder: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready(socket_folder):
            ended = not locks.is_held(self.folder, locks.SERVER)
            if ended or time.monotonic() > deadline:
                raise CommandError(
                    f"The local {self.name} server {'ended' if ended else 'hung'} while starting; "
                    f"the end of {self.log}:\n{log_tail(self.log)}"
                )
            time.sleep(_POLL_SECONDS)

    def _end(self) -> None:
        """End the server and its keeper; nobody else uses it."""
        quits_at = time.monotonic() + ABANDONED_SECONDS
        while locks.is_held(self.folder, locks.SERVER) or locks.is_held(self.folder, locks.KEEPER):
            with contextlib.suppress(ProcessLookupError, FileNotFoundError, IndexError, ValueError):
                if locks.is_held(self.folder, locks.KEEPER):
                    os.kill(int(str(self._state()["keeper"])), signal.SIGTERM)
                else:
                    is_late = time.monotonic() > quits_at
                    os.kill(self.abandoned(), signal.SIGQUIT if is_late else signal.SIGINT)
            time.sleep(_POLL_SECONDS)
        socket_folder = Path(str(self._state()["socket_folder"]))
        shutil.rmtree(socket_folder, ignore_errors=True)
        for process in _keepers:
            process.poll()

    def _state(self) -> Mapping[str, object]:
        """What the last start noted."""
        state: Mapping[str, object] = json.loads((self.folder / _STATE).read_text(encoding="utf-8"))
        return state


def _is_own_folder(path: Path, uid: int) -> bool:
    """Whether it is a folder, and of this user or of the server's."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid in {os.geteuid(), uid}


def _import_path() -> str:
    """Where this package is: the keeper starts in another folder."""
    return str(Path(__file__).resolve().parents[2])


def running_socket_folder(folder: Path) -> Path | None:
    """Where the socket of the server for `folder` is, when one runs; starts none."""
    if not folder.is_dir() or not locks.is_held(folder, locks.SERVER):
        return None
    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Path(str(state["socket_folder"]))


@dataclass(frozen=True, slots=True)
class ServerCrashes:
    """Deaths of a server in a row, each right after a start.

    Attributes:
        since: When the first of them was, in seconds since 1970.
        count: How many there are.
        said: The last line that the server wrote.
        log: What it writes.
    """

    since: float
    count: int
    said: str
    log: Path


def server_crashes(folder: Path) -> ServerCrashes | None:
    """What the keeper says of a folder's server that dies again and again; None of others.

    Args:
        folder: The server's, which has its name, e.g. `postgres`.
    """
    try:
        told = json.loads((folder / keeper.CRASHES).read_text(encoding="utf-8"))
        since, count = float(told["since"]), int(told["count"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not locks.is_held(folder, locks.KEEPER):
        return None  # left by a keeper that was killed
    log = folder / f"{folder.name}.log"
    lines = log_tail(log, 20).splitlines()
    said = [line.strip() for line in lines if not line.strip().startswith(keeper.RESTARTED)]
    return ServerCrashes(since, count, said[-1] if said else "nothing", log)
