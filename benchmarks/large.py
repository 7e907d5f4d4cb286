"""The widest runs that one machine is asked for: 419 contracts, 14 years of hourly bars.

    uv run python -m benchmarks.large
    uv run python -m benchmarks.large --grain all

By year that is 5,866 partitions, by contract 419; every one is a flow run inside one process.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.market import market_of, write_market
from benchmarks.measuring import Bench, Measurement, bench_server
from lake.grain import Grain
from trading.bars.synthetic import contract_names
from trading.errors import ParameterError

if TYPE_CHECKING:
    from benchmarks.workloads import Data

CONTRACTS = 419

LIVES = 120
"""Lives of the server's ceiling right before each run, and after it: the model is in lives."""


def main() -> None:
    """Run each grain once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grain", choices=["all", "year"], help="only this one")
    parser.add_argument("--contracts", type=int, default=CONTRACTS, help="fewer, to try it")
    options = parser.parse_args()
    try:
        contract_names(options.contracts)
    except ParameterError as error:
        parser.error(str(error))
    grains = [Grain(options.grain)] if options.grain else [Grain.ALL, Grain.YEAR]
    with tempfile.TemporaryDirectory() as name, bench_server(Path(name) / "server") as bench:
        _print(asyncio.run(_run(bench, Path(name), options.contracts, grains)))


async def _run(
    bench: Bench, folder: Path, contracts: int, grains: list[Grain]
) -> dict[Grain, Measurement]:
    # Imported here: Prefect reads the server's address when it is imported.
    from benchmarks import workloads as w  # noqa: PLC0415
    from cli.pipeline.orchestration import delivering  # noqa: PLC0415
    from flows.boundary.settings import JobPer  # noqa: PLC0415

    await w.register()
    input_dir = str(folder / "input")
    write_market(input_dir, market_of(contracts))
    rows = {}
    async with delivering():
        for grain in grains:
            data: Data = w.Data(input_dir, str(folder / "output"), grain)
            run = partial(w.orchestrated, bench, data, contracts, JobPer.RUN)
            rows[grain] = await w.beside_lives(bench, LIVES, run)
            print(f"by {grain.value}: {rows[grain].wall:.0f} s", file=sys.stderr)
    return rows


def _print(rows: dict[Grain, Measurement]) -> None:
    print(
        "| grain | a life s | partitions | wall s | per s | server CPU s / partition "
        "| client CPU s / partition | peak MiB |"
    )
    print("|---|" + "---:|" * 7)
    for grain, m in rows.items():
        n = m.partitions
        print(
            f"| `{grain.value}` | {m.life:.3f} | {n:,} | {m.wall:.0f} "
            f"| {m.rate:.1f} | {m.server / n:.3f} | {m.client / n:.3f} | {m.peak_mib:.0f} |"
        )


if __name__ == "__main__":
    main()
