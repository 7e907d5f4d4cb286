"""`check-bars`: whether the stored bars of a few days can be relied on."""

import asyncio
from datetime import date
from typing import Annotated

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed
from pydantic import Field

from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.parameters import LakeDir, lake_url
from flows.operations.watched import WatchedSymbols, watched_symbols
from flows.runs import rendering
from lake.bronze.quality_report import BarsReport, bars_report
from storage.directory import open_directory


@flow(name="check-bars", flow_run_name="check-bars")
@domain_errors_fail_run
@documented
async def check_bars(
    first: Annotated[date, Field(description="First New York date.", examples=["2026-01-05"])],
    last: Annotated[date, Field(description="Last one, included.", examples=["2026-01-05"])],
    symbols: WatchedSymbols = None,
    lake_dir: LakeDir = None,
) -> State[BarsReport]:
    """Gather gaps and what the checks found: PASS, WARN, or FAIL when a symbol has no bars."""
    lake = open_directory(lake_url(lake_dir), "lake_dir")
    chosen = await asyncio.to_thread(watched_symbols, symbols)
    report = await asyncio.to_thread(bars_report, lake, chosen, first, last)
    rows = [(one.symbol, one.verdict.value, one.message) for one in report.findings]
    await acreate_markdown_artifact(
        f"# Bars of {first} to {last}\n\n{report.sentence}\n\n"
        + rendering.table(("symbol", "verdict", "found"), rows),
        key="check-bars",
        description=report.sentence,
    )
    get_run_logger().info("%s", report.sentence)
    if report.is_failure:
        return Failed(message=report.sentence, data=report)
    return Completed(message=report.sentence, data=report)
