"""What a wide fan-out costs: ours, the server's ceiling, and what users write today.

    uv run python -m benchmarks.fanout
    uv run python -m benchmarks.fanout --small

All workloads run one after the other on one server, started for the purpose, and are printed as
ratios: absolute times differ between machines and hours, ratios less. Even one machine's speed can
change within a minute, so the server's ceiling is measured again before and after each workload,
and the ratios to it are to those two.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.market import market_of, write_market
from benchmarks.measuring import Bench, Measurement, bench_server

if TYPE_CHECKING:
    from benchmarks.workloads import Data


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much each workload does.

    Attributes:
        contracts: Contracts of the inline workloads.
        bars: Bars of each.
        jobs: Partitions that run in processes of their own.
        naive: Partitions of the naive way, whose cost per partition is what is compared.
        growth: Further partition counts for the inline workload.
        beside: Bare runs right before each workload, and as many after it.
        repeats: How often each workload runs; medians are printed.
    """

    contracts: int
    bars: int
    jobs: int
    naive: int
    growth: tuple[int, ...]
    beside: int
    repeats: int


FULL = Sizes(contracts=10, bars=24, jobs=24, naive=16, growth=(480, 960), beside=60, repeats=3)
SMALL = Sizes(contracts=1, bars=8, jobs=2, naive=1, growth=(16,), beside=8, repeats=1)


def main() -> None:
    """Run all workloads and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a short run, to see that it works")
    parser.add_argument("--repeats", type=int, help="runs of each workload; the median is printed")
    options = parser.parse_args()
    sizes = SMALL if options.small else FULL
    if options.repeats is not None:
        sizes = replace(sizes, repeats=options.repeats)
    with (
        tempfile.TemporaryDirectory() as name,
        bench_server(Path(name) / "server", count_requests=True) as bench,
    ):
        rows = asyncio.run(_run(bench, Path(name), sizes))
    _print(rows)


async def _run(bench: Bench, folder: Path, sizes: Sizes) -> dict[str, Measurement]:
    # Imported here: Prefect reads the server's address when it is imported.
    from benchmarks import workloads as w  # noqa: PLC0415
    from cli.pipeline.orchestration import delivering  # noqa: PLC0415
    from flows.boundary.settings import JobPer  # noqa: PLC0415

    await w.register()
    n = sizes.contracts * sizes.bars
    data = _data(folder, sizes.contracts, sizes.bars)
    jobs = _data(folder, 1, sizes.jobs)
    rows: dict[str, list[Measurement]] = {}

    async def record(label: str, step: Callable[[], Awaitable[Measurement]]) -> None:
        measurement = await w.beside_bare_runs(bench, sizes.beside, step)
        rows.setdefault(label, []).append(measurement)
        print(f"{label}: {measurement.wall:.1f} s, {measurement.rate:.2f} /s", file=sys.stderr)

    async with delivering():
        # The first bare runs fill the server's caches; they are not counted.
        await w.ceiling(bench, sizes.beside, in_flight=4)
        for _ in range(sizes.repeats):
            steps: dict[str, Callable[[], Awaitable[Measurement]]] = {
                "(a) ceiling: bare HTTP client": lambda: w.ceiling(bench, n, in_flight=4),
                "(b) job_per=run": lambda: w.orchestrated(bench, data, sizes.contracts, JobPer.RUN),
                "(e) task.map, no flow runs": lambda: w.task_map(
                    bench, data, data.partitions(sizes.contracts)
                ),
            }
            for label, step in steps.items():
                await record(label, step)
            with w.worker(bench, folder / "worker.log"):
                # The first job warms the worker and the page cache; it is not counted.
                await w.naive(bench, jobs, jobs.partitions(1)[:1])
                steps = {
                    "(b) job_per=symbol": lambda: w.orchestrated(
                        bench, data, sizes.contracts, JobPer.SYMBOL
                    ),
                    "(c) job_per=partition": lambda: w.partition_jobs(bench, jobs, sizes.jobs),
                    "(d) naive": lambda: w.naive(bench, jobs, jobs.partitions(1)[: sizes.naive]),
                }
                for label, step in steps.items():
                    await record(label, step)
            for count in sizes.growth:
                more = _data(folder, sizes.contracts, count // sizes.contracts)
                await record(
                    f"(b) job_per=run, {count}",
                    partial(w.orchestrated, bench, more, sizes.contracts, JobPer.RUN),
                )
    return {label: _median(found) for label, found in rows.items()}


def _data(folder: Path, contracts: int, bars: int) -> Data:
    """Synthetic market data of the wanted size, and a place for results."""
    from benchmarks.workloads import Data  # noqa: PLC0415

    home = folder / f"{contracts}x{bars}"
    if not home.exists():
        write_market(str(home / "input"), market_of(contracts, bars))
    return Data(str(home / "input"), str(home / "output"))


def _median(found: Sequence[Measurement]) -> Measurement:
    """The run in the middle, by wall time."""
    return sorted(found, key=lambda m: m.wall)[len(found) // 2]


def _print(rows: dict[str, Measurement]) -> None:
    naive = next(m for label, m in rows.items() if label.startswith("(d)"))
    print(
        "| workload | partitions | wall s | per s | bare run s | of ceiling "
        "| while partitions run | x naive | server CPU s | client CPU s | worker+jobs CPU s "
        "| CPU s / partition | requests / partition | peak MiB |"
    )
    print("|---|" + "---:|" * 13)
    for label, m in rows.items():
        n = m.partitions
        print(
            f"| {label} | {n} | {m.wall:.1f} | {m.rate:.2f} | {m.bare_run:.3f} "
            f"| {m.rate * m.bare_run:.0%} | {m.busy_rate * m.bare_run:.0%} "
            f"| {m.rate / naive.rate:.1f} | {m.server / n:.3f} | {m.client / n:.3f} "
            f"| {m.children / n:.2f} | {m.cpu_per_partition:.2f} | {m.requests / n:.1f} "
            f"| {m.peak_mib:.0f} |"
        )


if __name__ == "__main__":
    main()
