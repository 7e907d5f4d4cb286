"""How many flow runs a second the lake's layers make, beside the server's ceiling.

    uv run --extra lake python -m benchmarks.layers
    uv run --extra lake python -m benchmarks.layers --small

The flow `silver` makes the bars of all sessions of a lake of minutes again, each a flow run in this
process. Right before and right after it, bare runs give the server's ceiling, as in
`benchmarks.fanout`; the ratio is to these two.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from datetime import date
from pathlib import Path

from benchmarks.filling import fill_minutes
from benchmarks.measuring import Bench, Measurement, bench_server
from trading.bars.synthetic import contract_names
from trading.instruments.calendar import sessions

FIRST, LAST = date(2024, 1, 2), date(2024, 2, 5)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a short run, to see that it works")
    small = parser.parse_args().small
    symbols, last, beside, repeats = (1, FIRST, 8, 1) if small else (10, LAST, 60, 3)
    with tempfile.TemporaryDirectory() as name, bench_server(Path(name) / "server") as bench:
        lake = str(Path(name) / "lake")
        fill_minutes(lake, contract_names(symbols), FIRST, last)
        partitions = symbols * (len(sessions(FIRST, last)) + 1)  # one of days each
        runs = asyncio.run(_measured(bench, lake, partitions, beside, repeats))
    rate = statistics.median(run.rate for run in runs)
    share = statistics.median(run.rate * run.bare_run for run in runs)
    print(f"| silver, `job_per=run`, {partitions} partitions | value |\n|---|---:|")
    print(f"| partitions per s | {rate:.2f} |\n| of the ceiling | {share:.0%} |")


async def _measured(
    bench: Bench, lake: str, partitions: int, beside: int, repeats: int
) -> list[Measurement]:
    # Imported here: Prefect reads the server's address when it is imported.
    from benchmarks import workloads as w  # noqa: PLC0415
    from cli.pipeline.orchestration import delivering  # noqa: PLC0415
    from flows.bars.layer import LayerSummary  # noqa: PLC0415
    from flows.bars.silver import silver  # noqa: PLC0415
    from flows.boundary.settings import JobPer  # noqa: PLC0415

    async def step() -> Measurement:
        with bench.measured(partitions) as measurement:
            summary = await silver(lake_dir=lake, job_per=JobPer.RUN, reprocess=True)
        if not isinstance(summary, LayerSummary) or summary.completed != partitions:
            raise RuntimeError(f"{partitions} partitions were to be made, not {summary}")
        return measurement

    await w.register()
    async with delivering():
        # The first bare runs fill the server's caches; they are not counted.
        await w.ceiling(bench, beside, in_flight=4)
        return [await w.beside_bare_runs(bench, beside, step) for _ in range(repeats)]


if __name__ == "__main__":
    main()
