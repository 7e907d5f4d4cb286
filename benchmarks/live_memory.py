"""The memory of the processes of `trading live` while it replays a lake for a long time."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path

import psutil

from benchmarks.filling import fill_minutes
from trading.instruments.calendar import sessions

SPEED = 60
SYMBOLS = ("AAPL", "AMZN", "GOOG", "JPM", "META", "MSFT", "NVDA", "SPY", "TSLA", "XOM")
DAYS = sessions(date(2024, 1, 2), date(2024, 12, 31)).dates.tolist()

LAST = "api"
"""The last of the processes that prices pass through."""

MOMENTS = {"start": 0.1, "middle": 0.5, "end": 0.95}
"""Shares of the time; at the start all processes have begun."""

_MINUTES_A_SESSION = 390
_MIB = 2**20


def print_memory(minutes: float) -> None:
    """Replay for so many minutes and print the table."""
    with tempfile.TemporaryDirectory(prefix="trading-benchmark-") as name:
        place = Path(name).resolve()
        days = DAYS[: math.ceil(minutes * SPEED / _MINUTES_A_SESSION) + 1]
        print(f"making {len(days)} sessions of {len(SYMBOLS)} symbols ...", file=sys.stderr)
        fill_minutes(str(place / "lake"), SYMBOLS, days[0], days[-1])
        found = _replayed(place, days, minutes)
    print(f"| MiB, {minutes:g} minutes at {SPEED} x | " + " | ".join(MOMENTS) + " |")
    print("|---|" + "---|" * len(MOMENTS))
    for process in sorted(found["end"]):
        cells = [f"{found[moment][process] / _MIB:,.0f}" for moment in MOMENTS]
        print(f"| {process} | " + " | ".join(cells) + " |")


def _replayed(place: Path, days: list[date], minutes: float) -> dict[str, Counter[str]]:
    """Bytes by process at each moment."""
    command = [
        sys.executable, "-m", "cli", "live", "--source", "replay", "--speed", str(SPEED),
        "--symbols", ",".join(SYMBOLS), "--from", str(days[0]), "--to", str(days[-1]),
        "--minutes", str(minutes), "--json", "--port", "0",
        "--server-dir", str(place / "servers"), "--lake-dir", str(place / "lake"),
    ]  # fmt: skip
    found: dict[str, Counter[str]] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        while running.poll() is None and LAST not in _memory(running.pid, place):
            time.sleep(1.0)
        began = time.monotonic()  # the servers are up, and the minutes run
        for moment, share in MOMENTS.items():
            time.sleep(max(0.0, began + share * minutes * 60 - time.monotonic()))
            if running.poll() is not None:
                raise SystemExit(f"trading live ended with {running.returncode}.")
            found[moment] = _memory(running.pid, place)
        told, _ = running.communicate()
    if running.returncode:
        raise SystemExit(f"trading live ended with {running.returncode}.")
    print(told.decode().strip(), file=sys.stderr)
    return found


def _memory(pid: int, place: Path) -> Counter[str]:
    """Bytes by process: what it shares with others counts in shares, where the system says so."""
    top = psutil.Process(pid)
    bytes_of: Counter[str] = Counter()
    family = {top, *top.children(recursive=True)}
    for process in psutil.process_iter():
        try:
            if process in family or process.cwd().startswith(str(place)):
                used = process.memory_full_info()
                bytes_of[_name(process, top)] += getattr(used, "pss", used.rss)
        except psutil.Error:  # gone, or somebody else's
            continue
    return bytes_of


def _name(process: psutil.Process, top: psutil.Process) -> str:
    """What a process is called; those that it starts are counted with it."""
    if process == top:
        return "trading live"
    line = [process, *process.parents()]
    for one in line[: line.index(top)] if top in line else line[:1]:
        words = one.cmdline()
        if "cli" in words:
            asked = words[words.index("cli") + 1 :]
            return " ".join(asked[: 2 if asked[:1] == ["live"] else 1])
    return process.name()
