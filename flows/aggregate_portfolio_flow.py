"""`aggregate-portfolio`: one portfolio from the stored results of all contracts."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from flows.boundary.documented import documented
from flows.boundary.errors import fails_plainly
from flows.boundary.parameters import (
    DEFAULT_STRATEGY,
    ContractNames,
    InputDir,
    OutputDir,
    StoredGrain,
    StoredStrategy,
    input_url,
    output_url,
)
from flows.runs import rendering
from flows.runs.commands import report_commands
from lake.market.aggregate import Aggregation, AggregationRequest, aggregate
from lake.market.orphaned import Orphan
from trading.report.content import RunAccount

run_account: ContextVar[RunAccount | None] = ContextVar("run_account", default=None)
"""Set by an orchestrator in whose process this flow runs: what it did, for the report."""

TIMESERIES_ROWS = 500
"""Most rows of the time-series artifact; the file has all."""

LISTED_ORPHANS = 200
"""Most orphaned results that the artifact names."""


@flow(name="aggregate-portfolio", flow_run_name="aggregate portfolio")
@fails_plainly
@documented
async def aggregate_portfolio(
    output_dir: OutputDir = None,
    contracts: ContractNames = None,
    cost_bps: Annotated[
        float,
        Field(ge=0, le=1_000, description="Cost of one trade in basis points.", examples=[1.0]),
    ] = DEFAULT_STRATEGY.cost_bps,
    input_dir: InputDir = None,
    grain: StoredGrain = None,
    strategy: StoredStrategy = None,
) -> dict[str, Any]:
    """Compute P&L, win rate, Sharpe, beta and more from the results that the input asks for.

    Writes them and a report. Other results are named, and left out.

    Returns:
        The portfolio's metrics by name; None where one is not defined.
    """
    request = AggregationRequest(
        input_dir=input_url(input_dir),
        output_dir=output_url(output_dir),
        contracts=contracts,
        grain=grain,
        strategy=strategy,
        cost_bps=cost_bps,
    )
    aggregation = await asyncio.to_thread(aggregate, request)
    report, pictures = await asyncio.to_thread(_report, aggregation)
    made, metrics = aggregation.portfolio, aggregation.metrics
    await acreate_markdown_artifact(
        _markdown(aggregation, [report, *aggregation.files], pictures),
        key="portfolio-summary",
        description=f"{metrics['contracts']} contracts, {metrics['bars']} bars: the portfolio",
    )
    await acreate_table_artifact(
        made.contracts.to_pylist(), key="portfolio-contracts", description="Contract by contract"
    )
    bars = made.timeseries.num_rows
    tail = made.timeseries.slice(max(0, bars - TIMESERIES_ROWS))
    await acreate_table_artifact(
        [row | {"timestamp": row["timestamp"].isoformat()} for row in tail.to_pylist()],
        key="portfolio-timeseries",
        description=f"Bar by bar; the last {tail.num_rows} of {bars}",
    )
    logger = get_run_logger()
    for note in rendering.standing_notes(metrics):
        logger.warning("%s", note)
    logger.info(
        "%d trades of %d contracts: P&L %s %%, win rate %s, Sharpe %s, beta %s",
        metrics["trades"],
        metrics["contracts"],
        *(
            rendering.value_text(metrics[name])
            for name in ("total_pnl_pct", "win_rate", "sharpe", "average_beta")
        ),
    )
    return metrics


def _report(aggregation: Aggregation) -> tuple[str, dict[str, bytes]]:
    """Write the report; its URL, and its main charts as PNG pictures by title."""
    from lake.market import report as making  # noqa: PLC0415 - the orchestrator loads this module
    from trading.report import charts  # noqa: PLC0415 - the orchestrator loads this module

    content = making.read_content(aggregation, run=run_account.get())
    pictures = {"Equity (blue) and the S&P 500 (grey)": charts.png(charts.equity, content)}
    if len(content.trade_returns):
        pictures["Returns of the trades"] = charts.png(charts.trade_returns, content)
    return making.write_report(content, *report_commands(aggregation)), pictures


def _markdown(aggregation: Aggregation, files: Sequence[str], pictures: Mapping[str, bytes]) -> str:
    metrics, wanted = aggregation.metrics, aggregation.wanted
    return "\n\n".join(
        [
            "# Portfolio",
            rendering.places_text(wanted.input_dir, aggregation.output_dir),
            f"Results by {wanted.grain.value}.",
            *rendering.standing_notes(metrics),
            _link(files[0]),
            rendering.table(("metric", "value"), rendering.headlines(metrics)),
            *(
                f"## {title}\n\n![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"
                for title, png in pictures.items()
            ),
            "## All metrics",
            rendering.table(("metric", "value"), metrics.items()),
            "## Files",
            "\n".join(f"- {file}" for file in files),
            *_orphans(aggregation.orphaned),
        ]
    )


def _orphans(orphaned: Sequence[Orphan]) -> list[str]:
    if not orphaned:
        return []
    named = rendering.table(
        ("orphaned result", "why"), [(o.file, o.reason.value) for o in orphaned[:LISTED_ORPHANS]]
    )
    more = len(orphaned) - LISTED_ORPHANS
    return ["## Left out", named, *([f"... and {more:,} more."] if more > 0 else [])]


def _link(report: str) -> str:
    if "://" in report:
        return f"The report with all charts: [{report}]({report})"
    # Browsers follow no link from a page of a server to a file of the machine.
    link = Path(report).as_uri()
    return f"The report with all charts, a file to open in a browser: [{link}]({link})"
