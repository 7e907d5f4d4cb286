"""A sweep as flow runs: a run for each parameter set, and a run for fifty of them.

    uv run python -m benchmarks.sweep
    uv run python -m benchmarks.sweep --small

Both trade the same strategy on the same daily bars of one symbol. Bare runs right before and
right after say what the server can do at best, see `benchmarks.fanout`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.measuring import Bench, bench_server
from lake.files import FileLineage, write_file
from lake.silver.days import SilverDaysDataset
from lake.silver.request import SilverRequest
from storage.directory import open_directory
from trading.bars.model import VALUES
from trading.bars.synthetic_minutes import synthetic_days

SYMBOL = "AAPL"
BATCH = 50
BARE_RUNS = 120


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a short run, to see that it works")
    small = parser.parse_args().small
    alone, batched = (20, 100) if small else (240, 2_400)
    with tempfile.TemporaryDirectory() as name, bench_server(Path(name) / "server") as bench:
        lake = str(Path(name) / "lake")
        _make_silver(lake)
        asyncio.run(_measured(bench, lake, alone, batched))


async def _measured(bench: Bench, lake: str, alone: int, batched: int) -> None:
    # Imported here: Prefect reads the server's address when it is imported.
    from benchmarks import workloads as w  # noqa: PLC0415
    from cli.pipeline.orchestration import delivering  # noqa: PLC0415

    await w.register()
    async with delivering():
        await _swept(lake, 2, batch=1, seed=99)  # what is loaded once is not counted
        before = await w.ceiling(bench, BARE_RUNS, 4)
        each = await _swept(lake, alone, batch=1, seed=1)
        after = await w.ceiling(bench, BARE_RUNS, 4)
        many = await _swept(lake, batched, batch=BATCH, seed=2)
    best = (before.rate + after.rate) / 2
    print(f"| sweep of one symbol, {_BARS} daily bars | sets per s |\n|---|---:|")
    print(f"| bare runs: the ceiling of a run for each set | {best:.1f} |")
    print(f"| a flow run for each of {alone} sets | {alone / each:.1f} |")
    print(f"| a flow run for {BATCH} of {batched:,} sets | {batched / many:.1f} |")
    print(f"| a run each / ceiling | {alone / each / best:.0%} |")
    print(f"| batched / a run each | {batched / many / (alone / each):.1f} |")


_FIRST, _LAST = date(2022, 1, 3), date(2023, 12, 29)
_BARS = 501


def _make_silver(lake: str) -> None:
    """Daily silver of one symbol, from bronze as a source would leave it."""
    import pyarrow as pa  # noqa: PLC0415

    from storage.parquet.arrays import float_column, timestamp_column  # noqa: PLC0415

    directory = open_directory(lake, "lake_dir")
    bars = synthetic_days(SYMBOL, _FIRST, _LAST)
    years = bars.timestamps.astype("datetime64[Y]").astype(int) + 1970
    for year in (2022, 2023):
        part = bars[years == year]
        columns = {"timestamp": timestamp_column(part.timestamps, "UTC")}
        columns |= {field: float_column(getattr(part, field)) for field in VALUES}
        name = f"bronze/synthetic/1d/{SYMBOL}/{year}.parquet"
        write_file(directory, name, pa.table(columns), FileLineage("bronze", SYMBOL, str(year), ""))
    dataset, request = SilverDaysDataset(), SilverRequest(lake_dir=lake)
    for wanted in dataset.wanted(request, SYMBOL):
        dataset.compute(request, wanted.key, "")


async def _swept(lake: str, sets: int, *, batch: int, seed: int) -> float:
    """Seconds that the flow `backtest` takes for so many random sets."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.states import Pending  # noqa: PLC0415

    from fanout.prefect_engine.execution import run_to_end  # noqa: PLC0415
    from flows.backtests.backtest import backtest  # noqa: PLC0415
    from flows.deploy.deployments import BACKTEST  # noqa: PLC0415

    asked: dict[str, Any] = {
        "strategy": "rsi_reversion", "symbols": [SYMBOL], "sample": sets, "seed": seed,
        "batch": batch, "job_per": "run", "lake_dir": lake,
    }  # fmt: skip
    async with get_client() as client:
        found = await client.read_deployment_by_name(BACKTEST)
        run = await client.create_flow_run_from_deployment(
            found.id, parameters=asked, state=Pending()
        )
        started = time.monotonic()
        state = await run_to_end(backtest, run)
        seconds = time.monotonic() - started
    if state is None or not state.is_completed():
        raise RuntimeError(f"the sweep did not complete: {state and state.message}")
    return seconds


if __name__ == "__main__":
    main()
