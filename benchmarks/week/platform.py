"""The platform as a user starts it, and its processes by name."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.week.plan import Plan
from database.connection import Database, open_database
from database.errors import DatabaseError
from database.live.heartbeats import heartbeats
from live.bus.redis_streams.bus import RedisBus
from live.bus.redis_streams.names import stream_name
from live.errors import BusError
from live.stream.publishing import last_time_told
from servers.errors import USAGE, CommandError
from servers.postgres.local import PostgresServer
from servers.shared.server import running_socket_folder
from servers.valkey import ValkeyServer
from trading.events import Stream

STREAM = "stream"
PROCESSES = (STREAM, "windows", "signals", "executor", "alerts", "news", "api")
SERVERS = ("postgres", "valkey")
COMMAND, BACKEND = "trading live", "a backend"
KEEPERS = tuple(f"keeper of {name}" for name in SERVERS)

SAME_COMMAND = ("run the same command again", "start it again")
"""What the command says that ends because its servers are gone for good."""

_PATIENCE_SECONDS = 1.0


@dataclass(slots=True)
class Platform:
    """`trading live` on a plan's lake, begun again by the same command when it ends.

    Attributes:
        plan: What is told again.
        port: The desk's.
        environment: Its variables beside ours.
        begun: How often the command was started.
        ended: The exit codes of those that ended by themselves, with
            the last line that they said, but for those whose servers were gone.
    """

    plan: Plan
    port: int
    environment: dict[str, str]
    begun: int = 0
    ended: list[str] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None

    @property
    def log(self) -> Path:
        """What the command says."""
        return self.plan.folder / "trading-live.log"

    def look(self) -> None:
        """Start the command, for the first time or again."""
        process = self._process
        if process is not None:
            code = process.poll()
            if code is None:
                return
            if code == USAGE:
                raise CommandError(f"trading live refuses: {_last_line(self.log)}")
            said = _last_line(self.log)
            if code != -signal.SIGKILL and not any(words in said for words in SAME_COMMAND):
                self.ended.append(f"exit code {code}: {said}")
        self.begun += 1
        plan = self.plan
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "cli", "live", "--json", "--no-prefect",
                    "--source", "replay", "--symbols", ",".join(plan.symbols),
                    "--from", plan.first.isoformat(), "--to", plan.last.isoformat(),
                    "--speed", str(plan.speed), "--strategy", plan.strategy,
                    "--interval", ",".join(plan.intervals), "--port", str(self.port),
                    "--lake-dir", plan.lake, "--server-dir", str(plan.server_dir),
                ],
                env={**os.environ, **self.environment}, stdout=log, stderr=log, text=True,
                start_new_session=True,
            )  # fmt: skip

    def stop(self, seconds: float = 60.0) -> int:
        """End it by Ctrl-C; its exit code."""
        if self._process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def processes(self) -> dict[str, psutil.Process]:
        """What runs now, by name."""
        found: dict[str, psutil.Process] = {}
        with contextlib.suppress(psutil.Error):
            if self._process is not None and self._process.poll() is None:
                found[COMMAND] = psutil.Process(self._process.pid)
                for child in found[COMMAND].children():
                    with contextlib.suppress(psutil.Error):  # a keeper that was killed is a zombie
                        found |= _named(child)
        for name in SERVERS:
            found |= _server(name, self.plan.server_dir / name)
        return found

    def left(self) -> list[psutil.Process]:
        """What runs of this folder, whoever started it."""
        place = str(self.plan.folder)
        ours = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(place in word for word in process.info["cmdline"] or [])
            and process.pid not in ours
        ]

    # What it has done so far, asked of its servers as they are; None while one is away.

    def told(self) -> int | None:
        """The last time that the stream told."""
        try:
            with self._bus() as bus:
                return last_time_told(bus)
        except BusError:
            return None

    def is_drained(self) -> bool:
        """Whether all that the stream told was dealt with by everybody."""
        return not self.waiting()

    def waiting(self) -> str:
        """What was not dealt with yet."""
        try:
            with self._bus() as bus, self._database() as database:
                return _waiting(bus, database, self.plan.end)
        except (BusError, DatabaseError) as error:
            return str(error)

    @contextlib.contextmanager
    def _bus(self) -> Iterator[RedisBus]:
        folder = self.plan.server_dir / "valkey"
        socket = running_socket_folder(folder)
        if socket is None:
            raise BusError("the bus does not run")
        with RedisBus(ValkeyServer(folder, socket).url, patience_seconds=_PATIENCE_SECONDS) as bus:
            yield bus

    @contextlib.contextmanager
    def _database(self) -> Iterator[Database]:
        folder = self.plan.server_dir / "postgres"
        socket = running_socket_folder(folder)
        if socket is None:
            raise DatabaseError("the database does not run")
        with open_database(PostgresServer(folder, socket).url) as database:
            yield database


def _waiting(bus: RedisBus, database: Database, end: int) -> str:
    clocks = [
        int(beat.detail.get("clock", 0))
        for beat in heartbeats(database)
        if beat.service == "windows"
    ]
    if max(clocks, default=0) < end:
        return f"windows is at {max(clocks, default=0)} of {end}"
    client = bus._connection.client  # noqa: SLF001 - no process needs to ask for this
    for stream in (Stream.BARS, Stream.SIGNALS):
        for group in client.xinfo_groups(stream_name(stream)):
            if group["pending"] or group["lag"]:
                return f"{group['name']} has {group['pending']} + {group['lag']} of {stream}"
    with database.transaction() as connection:
        for question in (
            "SELECT count(*) FROM notification WHERE state IN ('waiting', 'sending')",
            "SELECT count(*) FROM alert_event WHERE published_at IS NULL",
            "SELECT count(*) FROM order_event WHERE NOT is_published",
        ):
            row = connection.execute(question).fetchone()
            if row is None or row[0]:
                return f"{question}: {row}"
    return ""


def _named(process: psutil.Process) -> dict[str, psutil.Process]:
    words = process.cmdline()
    if words[2:4] != ["servers.lifeline", "cli"]:
        return {}
    name = words[5] if words[4] == "live" else words[4]
    return {name: process}


def _server(name: str, folder: Path) -> dict[str, psutil.Process]:
    """A server, and the process that keeps it."""
    found: dict[str, psutil.Process] = {}
    with contextlib.suppress(OSError, ValueError, KeyError, psutil.Error):
        keeper = psutil.Process(json.loads((folder / "server.json").read_text())["keeper"])
        if "servers.shared.keeper" in keeper.cmdline():
            found[f"keeper of {name}"] = keeper
    pid_file = folder / ("data/postmaster.pid" if name == "postgres" else "valkey.pid")
    with contextlib.suppress(OSError, ValueError, psutil.Error):
        server = psutil.Process(int(pid_file.read_text().split()[0]))
        # Valkey calls itself by its socket, which is elsewhere when the folder's path is long.
        places = (str(folder), str(running_socket_folder(folder) or folder))
        if any(place in word for word in server.cmdline() for place in places):
            found[name] = server
            backends = [one for one in server.children() if "postgres: postgres" in _title(one)]
            if backends:
                found[BACKEND] = backends[-1]
    return found


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def wait_until_drained(platform: Platform, seconds: float) -> str:
    """Wait until all is dealt with; what was not, when the time is over."""
    deadline = time.monotonic() + seconds
    while not platform.is_drained():
        if time.monotonic() > deadline:
            return platform.waiting()
        platform.look()
        time.sleep(0.5)
    return ""
