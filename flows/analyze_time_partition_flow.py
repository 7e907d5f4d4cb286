"""`analyze-time-partition`: one contract at one timestamp, or one coarser partition."""

import asyncio
from datetime import UTC
from typing import Annotated, Any

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from flows.boundary.documented import documented
from flows.boundary.errors import fails_plainly
from flows.boundary.parameters import (
    DEFAULT_STRATEGY,
    ContractName,
    InputDir,
    OutputDir,
    PartitionGrain,
    Strategy,
    input_url,
    output_url,
)
from lake.grain import Grain
from lake.keys import Partition
from lake.market.compute import PartitionSummary, run_partition
from trading.errors import ParameterError, shown
from trading.instruments.clock import parse_timestamp


def run_name(contract: str, timestamp: str, grain: Grain) -> str:
    """`AAPL 2024-01-02 09:30`; the beginning of whatever was passed, when it is no timestamp."""
    try:
        start = parse_timestamp(timestamp).astimezone(UTC)
    except ParameterError:
        return f"{contract} {shown(timestamp)}"
    return Partition(contract, start, grain, 0, 0).label


def _run_name() -> str:
    parameters: dict[str, Any] = flow_run.parameters
    return run_name(parameters["contract"], parameters["timestamp"], parameters["grain"])


# Its result is the file. To be told so spares its process asking the server where results go.
@flow(name="analyze-time-partition", flow_run_name=_run_name, persist_result=False)
@fails_plainly
@documented
async def analyze_time_partition(
    contract: ContractName,
    # Text, not a datetime: what is no timestamp gets the same sentence as one that is no bar.
    timestamp: Annotated[
        str,
        Field(
            description="A bar's start, with its UTC offset; of a coarser grain, any bar in it.",
            examples=["2024-01-02T09:30:00-05:00"],
            json_schema_extra={"format": "date-time"},
        ),
    ],
    grain: PartitionGrain = Grain.BAR,
    strategy: Strategy = DEFAULT_STRATEGY,
    input_dir: InputDir = None,
    output_dir: OutputDir = None,
) -> PartitionSummary:
    """Compute one partition and write its result file, whatever is there already.

    Reads the contract's bars of the partition and the window before them, nothing later.
    """
    summary = await asyncio.to_thread(
        run_partition,
        contract,
        timestamp,
        grain,
        strategy,
        input_url(input_dir),
        output_url(output_dir),
        str(flow_run.id),
    )
    get_run_logger().info("%s", summary.sentence)
    return summary
