"""The processes of the live side as people start them, for tests that kill them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import redis

from database.connection import open_database
from database.live.bars import live_bars
from database.live.signals import stored_signals
from live.bus.port import BEGINNING
from live.bus.redis_streams.bus import RedisBus
from live.bus.redis_streams.names import stream_name
from servers.process import log_tail, start_child, stop_child
from trading.bars.intervals import MINUTE_INTERVALS
from trading.events import BarClosed, Event, SignalMade, Stream

SAYS = {"stream": Stream.TICKS, "windows": Stream.BARS, "signals": Stream.SIGNALS}
"""What each process publishes."""


@dataclass
class LiveProcesses:
    """Processes of one database and one bus, each in a system process of its own.

    Attributes:
        commands: The arguments of `trading` by the process's name.
        database_url: Their database.
        bus_url: Their bus.
        folder: Where their logs go.
        children: Those that were started and not ended by the test.
    """

    commands: Mapping[str, Sequence[str]]
    database_url: str
    bus_url: str
    folder: Path
    lease_seconds: float = 1.0
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: str | None = None) -> None:
        """Start one; always by the same command.

        Args:
            name: What to call it.
            command: Whose command it is, of its own name by default.
        """
        environment = dict(os.environ) | {
            "TRADING_DATABASE_URL": self.database_url, "TRADING_BUS_URL": self.bus_url,
            "TRADING_BUS_LEASE_SECONDS": str(self.lease_seconds),
        }  # fmt: skip
        self.children[name] = start_child(
            "cli", self.commands[command or name], log=self.log(name), env=environment, append=True
        )

    def kill(self, name: str) -> None:
        """End one as the system does that has no memory left."""
        child = self.children.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        stop_child(child)

    def has_ended(self, name: str) -> bool:
        """Whether one has ended by itself."""
        return self.children[name].poll() is not None

    def check(self) -> None:
        """Fail with what was said by one that ended and was not killed."""
        for name, child in self.children.items():
            assert child.poll() in (None, 0), f"{name} ended:\n{log_tail(self.log(name))}"

    def log(self, name: str) -> Path:
        """What it wrote, all of its lives."""
        return self.folder / f"{name}.out"

    def logs(self) -> str:
        """The ends of all logs, for a message."""
        return "\n".join(f"{name}:\n{log_tail(self.log(name))}" for name in self.commands)

    def said(self, name: str) -> int:
        """How many entries its stream has got so far."""
        client = redis.Redis.from_url(self.bus_url, protocol=2)
        try:
            return int(client.xinfo_stream(stream_name(SAYS[name]))["entries-added"])
        except redis.ResponseError:  # nobody has used it yet
            return 0
        finally:
            client.close()

    def stop(self) -> None:
        """End those that are left."""
        for child in self.children.values():
            stop_child(child)
        self.children.clear()


@contextlib.contextmanager
def live_processes(
    commands: Mapping[str, Sequence[str]], database_url: str, bus_url: str, folder: Path
) -> Iterator[LiveProcesses]:
    """Processes that are ended with the block; none is started."""
    folder.mkdir(parents=True, exist_ok=True)
    processes = LiveProcesses(commands, database_url, bus_url, folder)
    try:
        yield processes
    finally:
        processes.stop()


@dataclass(frozen=True)
class Told:
    """All that a day's processes said.

    Attributes:
        bars: Those of the bus, in order, by identity.
        signals: As bars.
        kept_bars: Those of the database.
        kept_signals: As bars.
        again: How many events came once more.
    """

    bars: list[BarClosed]
    signals: list[SignalMade]
    kept_bars: list[BarClosed]
    kept_signals: list[SignalMade]
    again: int = field(compare=False)


def told(database_url: str, bus_url: str, day: date) -> Told:
    """What the bus and the database have of a day.

    Raises:
        AssertionError: An event came again and was another.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = start.replace(hour=23)
    with RedisBus(bus_url) as bus:
        bars, bars_again = _once(_all(bus, Stream.BARS))
        signals, signals_again = _once(_all(bus, Stream.SIGNALS))
    with open_database(database_url) as database:
        kept = [
            bar
            for interval in MINUTE_INTERVALS
            for bar in live_bars(database, interval.value, start, end)
        ]
        return Told(
            bars=[bar for bar in bars if isinstance(bar, BarClosed)],
            signals=[one for one in signals if isinstance(one, SignalMade)],
            kept_bars=kept,
            kept_signals=stored_signals(database, start, end),
            again=bars_again + signals_again,
        )


def _all(bus: RedisBus, stream: Stream) -> list[Event]:
    tail = bus.tail(stream, BEGINNING)
    found: list[Event] = []
    while events := tail.fetch(wait_seconds=0).events:
        found += events
    return found


def _once(events: Sequence[Event]) -> tuple[list[Event], int]:
    """What a consumer takes that knows what it has seen, and how many it left."""
    first: dict[str, Event] = {}
    for event in events:
        known = first.setdefault(event.identity, event)
        assert known == event, "an event that comes again is the same"
    return list(first.values()), len(events) - len(first)
