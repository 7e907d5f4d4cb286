"""`aggregate-portfolio`: one portfolio from the stored results of all contracts."""

import asyncio
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from pydantic import Field
from trading.aggregation import aggregate

from flows import rendering
from flows.errors import fails_plainly
from flows.parameters import DEFAULT_STRATEGY, ContractNames, OutputDir, output_url

TIMESERIES_ROWS = 500
"""Most rows of the time-series artifact; the file has all."""


@flow(name="aggregate-portfolio", flow_run_name="aggregate portfolio")
@fails_plainly
async def aggregate_portfolio(
    output_dir: OutputDir = None,
    contracts: ContractNames = None,
    cost_bps: Annotated[
        float, Field(ge=0, le=1_000, description="Cost of one trade in basis points.")
    ] = DEFAULT_STRATEGY.cost_bps,
) -> dict[str, Any]:
    """Compute P&L, win rate, Sharpe, beta and more from all results, and write `_portfolio/`.

    Returns:
        The portfolio's metrics by name; None where one is not defined.
    """
    result = await asyncio.to_thread(aggregate, output_url(output_dir), contracts, cost_bps)
    await acreate_markdown_artifact(
        _markdown(result.metrics, result.files),
        key="portfolio-summary",
        description="The portfolio's metrics",
    )
    await acreate_table_artifact(
        result.contracts.to_pylist(), key="portfolio-contracts", description="Contract by contract"
    )
    tail = result.timeseries.slice(max(0, result.timeseries.num_rows - TIMESERIES_ROWS))
    await acreate_table_artifact(
        rendering.json_rows(tail.to_pylist()),
        key="portfolio-timeseries",
        description=f"Bar by bar; the last {tail.num_rows} of {result.timeseries.num_rows}",
    )
    return result.metrics
