"""`aggregate-portfolio`: one portfolio from the stored results of all contracts."""

import asyncio
import base64
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from prefect import Flow, flow
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.parameters import (
    DEFAULT_STRATEGY,
    ContractNames,
    InputDir,
    OutputDir,
    StoredGrain,
    StoredStrategy,
    input_directory,
    output_directory,
)
from flows.runs import rendering
from flows.runs.commands import report_commands
from lake.market.aggregate import Aggregation, aggregate
from lake.market.orphaned import Orphan
from lake.market.request import MarketRequest, like_stored
from trading.report.content import RunAccount

TIMESERIES_ROWS = 500
"""Most rows of the time-series artifact; the file has all."""

LISTED_ORPHANS = 200
"""Most orphaned results that the artifact names."""


def aggregate_portfolio_flow(run: RunAccount | None = None) -> Flow[..., Awaitable[Any]]:
    """The flow, for an orchestrator in this process or for any run.

    Args:
        run: What the orchestrator did, for the report.
    """

    @flow(name="aggregate-portfolio", flow_run_name="aggregate portfolio")
    @domain_errors_fail_run
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
        request = MarketRequest(
            input_dir=input_directory(input_dir),
            output_dir=output_directory(output_dir),
            contracts=None if contracts is None else tuple(contracts),
        )
        request = await asyncio.to_thread(like_stored, request, grain, strategy)
        costed = request.strategy.model_copy(update={"cost_bps": cost_bps})
        return await _aggregated(replace(request, strategy=costed), run)

    return aggregate_portfolio


aggregate_portfolio = aggregate_portfolio_flow()


async def _aggregated(request: MarketRequest, run: RunAccount | None) -> dict[str, Any]:
    aggregation = await asyncio.to_thread(aggregate, request)
    report, pictures = await asyncio.to_thread(_report, aggregation, run)
    await _publish(aggregation, report, pictures)
    metrics = aggregation.metrics
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


async def _publish(aggregation: Aggregation, report: str, pictures: Mapping[str, bytes]) -> None:
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


def _report(aggregation: Aggregation, run: RunAccount | None) -> tuple[str, dict[str, bytes]]:
    """Write the report; its URL, and its main charts as PNG pictures by title."""
    from lake.market import report as making  # noqa: PLC0415 - the orchestrator loads this module
    from trading.report import charts  # noqa: PLC0415 - the orchestrator loads this module

    content = making.read_content(aggregation, run=run)
    pictures = {"Equity (blue) and the S&P 500 (grey)": charts.png(charts.equity, content)}
    if len(content.trade_returns):
        pictures["Returns of the trades"] = charts.png(charts.trade_returns, content)
    commands = report_commands(aggregation)
    return making.write_report(aggregation.directory, content, *commands), pictures


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
