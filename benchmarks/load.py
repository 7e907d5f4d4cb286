"""Whether anything gets lost: thousands of partitions while their server is killed twice.

    uv run python -m benchmarks.load
    uv run python -m benchmarks.load --small

Each load is `trading demo` as a user types it, on a server that is killed with SIGKILL when a
third and when two thirds of the results are there, and started again at once. When the command
fails, the same command is typed again, as its user would. Then everything is counted by hand.
Exits 1 unless duplicates, lost and wrong states are all 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prefect.client.orchestration import PrefectClient

from benchmarks.outages import MortalServer, mortal_server, outages
from benchmarks.tally import Tally, tally
from flows.deploy.registration import register_deployments
from lake.grain import Grain
from servers.prefect import is_healthy

WORK_POOL = "trading"
COMMANDS = 5
"""How often the same command is typed at most."""


@dataclass(frozen=True, slots=True)
class Load:
    """One load.

    Attributes:
        job_per: How much runs in a job of its own.
        contracts: How many contracts of the sample data.
        grain: What a partition covers; a contract has 24 bars in three sessions.
        partitions: How many partitions that makes.
    """

    job_per: str
    contracts: int
    grain: str
    partitions: int

    def of(self, contracts: int) -> Load:
        """The same for another number of contracts."""
        each = self.partitions // self.contracts
        return Load(self.job_per, contracts, self.grain, each * contracts)


FULL = (Load("run", 209, "bar", 5_016), Load("partition", 13, "bar", 312))
SMALL = (Load("run", 4, "bar", 96), Load("partition", 2, "session", 6))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a load ended.

    Attributes:
        tally: What it left.
        commands: How often the command was typed until it succeeded, or was given up.
        exit_code: That of the last one.
        kills: How often the server was killed meanwhile.
        wall: Seconds, outages and all.
    """

    tally: Tally
    commands: int
    exit_code: int
    kills: int
    wall: float

    @property
    def clean(self) -> bool:
        """Whether everything is there, once, and nothing else."""
        return self.tally.clean and self.exit_code == 0


def main() -> None:
    """Run the loads one after the other and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a short run, to see that it works")
    parser.add_argument("--job-per", choices=["run", "partition"], help="only this load")
    parser.add_argument("--contracts", type=int, help="so many contracts instead")
    parser.add_argument("--down-seconds", type=float, default=0.0, help="how long each outage is")
    options = parser.parse_args()
    loads = [
        load.of(options.contracts or load.contracts)
        for load in (SMALL if options.small else FULL)
        if options.job_per in (None, load.job_per)
    ]
    ended: dict[Load, Ended] = {}
    for load in loads:
        marks = [load.partitions // 3, 2 * load.partitions // 3]
        with (
            tempfile.TemporaryDirectory() as folder,
            mortal_server(Path(folder, "server")) as server,
        ):
            ended[load] = run_load(Path(folder), load, server, marks, options.down_seconds)
    _print(ended)
    sys.exit(not all(end.clean for end in ended.values()))


def run_load(
    folder: Path,
    load: Load,
    server: MortalServer,
    marks: Sequence[int],
    down_seconds: float = 0.0,
) -> Ended:
    """Run one load on a server that is killed in the middle of it.

    Args:
        folder: Where everything is kept.
        load: What to run.
        server: The server.
        marks: How many results there are when it is killed.
        down_seconds: How long the server stays dead each time, beside the time it takes to start.
    """
    asyncio.run(_register(server.api_url))
    started, kills = time.perf_counter(), server.kills
    down = partial(time.sleep, down_seconds)
    with outages(server, lambda: _results(folder), marks, meanwhile=down):
        commands, exit_code = _until_done(folder, load, server)
    wall = time.perf_counter() - started
    found = asyncio.run(_tally(server.api_url, folder, load))
    return Ended(found, commands, exit_code, server.kills - kills, wall)


async def _register(api_url: str) -> None:
    """The deployments, with as many partition jobs at once as there are processors."""
    async with PrefectClient(api_url) as client:
        await register_deployments(client, WORK_POOL, partition_limit=os.cpu_count())


async def _tally(api_url: str, folder: Path, load: Load) -> Tally:
    async with PrefectClient(api_url) as client:
        return await tally(
            client, str(folder / "input"), str(folder / "output"), load.contracts, Grain(load.grain)
        )


def _results(folder: Path) -> int:
    return sum(1 for _ in folder.glob("output/*/2*.parquet"))


def _command(folder: Path, load: Load) -> list[str]:
    return [
        sys.executable, "-c", "from cli.app import main; main()", "demo", "--make-sample", "--json",
        "--contracts", str(load.contracts), "--grain", load.grain, "--job-per", load.job_per,
        "--input-dir", str(folder / "input"), "--output-dir", str(folder / "output"),
        "--server-dir", str(folder / "demo"),
    ]  # fmt: skip


def _until_done(folder: Path, load: Load, server: MortalServer) -> tuple[int, int]:
    """Type the command until it succeeds: how often, and its last exit code."""
    environment = os.environ | {
        "PREFECT_API_URL": server.api_url,
        "PREFECT_HOME": str(folder / "client"),
    }
    for typed in range(1, COMMANDS + 1):
        done = subprocess.run(
            _command(folder, load), env=environment, stdout=subprocess.PIPE, text=True, check=False
        )
        print(f"command {typed}: exit code {done.returncode}", file=sys.stderr)
        if done.returncode == 0:
            report = json.loads(done.stdout)
            print(json.dumps(report["partitions"] | report["flow_runs"]), file=sys.stderr)
            break
        _wait_for(server)
    return typed, done.returncode


def _wait_for(server: MortalServer) -> None:
    """What a user does who reads that the server is gone: looks until it is there again."""
    deadline = time.monotonic() + 300
    while not is_healthy(server.api_url, timeout=5.0) and time.monotonic() < deadline:
        time.sleep(1)


def _print(ended: dict[Load, Ended]) -> None:
    print(
        "| job_per | partitions | server killed | commands | results | duplicates | lost "
        "| wrong states | s |\n|---|" + "---:|" * 8
    )
    for load, end in ended.items():
        found = end.tally
        print(
            f"| `{load.job_per}` | {found.partitions:,} | {end.kills} | {end.commands} "
            f"| {found.results:,} | {found.duplicates} | {found.lost} | {found.wrong_states} "
            f"| {end.wall:.0f} |"
        )
    for load, end in ended.items():
        print(f"{load.job_per}: flow runs by state {end.tally.flow_runs}", file=sys.stderr)


if __name__ == "__main__":
    main()
