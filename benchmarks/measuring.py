"""What a benchmark needs of the machine: a server of its own, CPU seconds, requests, memory."""

from __future__ import annotations

import os
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from servers.prefect import LocalServer, local_server

_REQUEST = re.compile(rb'"(?:GET|POST|PATCH|DELETE|PUT) /api/')


@dataclass(slots=True)
class Measurement:
    """What one workload cost, all told.

    Attributes:
        partitions: How many partitions it did.
        wall: Seconds from start to end.
        server: CPU seconds of the Prefect server's processes.
        client: CPU seconds of this process.
        children: CPU seconds of a worker and all processes it started.
        requests: HTTP requests that the server answered; 0 where it does not count them.
        peak_mib: Largest resident memory of this process so far, MiB.
        busy: Seconds from the start of the first partition to the end of the last; None where
            that is the whole of it.
        bare_run: Seconds that a bare run took right before and right after; see
            `benchmarks.workloads.ceiling`.
    """

    partitions: int
    wall: float = 0.0
    server: float = 0.0
    client: float = 0.0
    children: float = 0.0
    requests: int = 0
    peak_mib: float = 0.0
    busy: float | None = None
    bare_run: float = 0.0

    @property
    def rate(self) -> float:
        """Partitions per second."""
        return self.partitions / self.wall

    @property
    def busy_rate(self) -> float:
        """Partitions per second while partitions run."""
        return self.partitions / (self.busy or self.wall)

    @property
    def cpu_per_partition(self) -> float:
        """CPU seconds per partition, wherever they were spent."""
        return (self.server + self.client + self.children) / self.partitions


@dataclass(slots=True)
class Bench:
    """A running server and the clocks around it."""

    server: LocalServer
    processes: list[int] = field(default_factory=list)

    @contextmanager
    def measured(self, partitions: int) -> Iterator[Measurement]:
        """Measure the block; the result is filled in when it ends."""
        result = Measurement(partitions)
        before = self._readings()
        started = time.perf_counter()
        yield result
        result.wall = time.perf_counter() - started
        after = self._readings()
        result.server, result.client, result.children = (
            b - a for a, b in zip(before[:3], after[:3], strict=True)
        )
        result.requests = int(after[3] - before[3])
        result.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def _readings(self) -> tuple[float, float, float, float]:
        own = os.times()
        return (
            cpu_seconds(self.server.process.pid),
            own.user + own.system,
            sum(cpu_seconds(pid) for pid in self.processes),
            len(_REQUEST.findall(self.server.log.read_bytes())),
        )


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process, its running descendants and those that have ended."""
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it ended meanwhile; its parent's readings hold it
        total += times.user + times.system + times.children_user + times.children_system
    return total


@contextmanager
def bench_server(folder: Path, *, count_requests: bool = False) -> Iterator[Bench]:
    """A fresh server in `folder`, which this process's Prefect is then pointed at.

    Enter before anything imports Prefect.

    Args:
        folder: Where its data are.
        count_requests: Whether it logs each request, which is how they are counted. That makes
            all workloads a few per cent dearer; without it the server is as commands start it.
    """
    if count_requests:
        os.environ["PREFECT_SERVER_LOGGING_LEVEL"] = "INFO"
    with local_server(folder, 0) as server:
        os.environ |= server.client_settings()
        os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
        print("starting a Prefect server ...", file=sys.stderr)
        server.wait_until_healthy()
        yield Bench(server)
