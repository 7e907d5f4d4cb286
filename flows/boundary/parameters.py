"""The parameters that several flows share, as types: what the Prefect UI shows and refuses."""

from typing import Annotated

from pydantic import Field

from flows.boundary.settings import JobPer, settings
from lake.grain import Grain
from trading.instruments.symbols import CONTRACT_PATTERN
from trading.strategies.market_model.parameters import StrategyParameters

ContractName = Annotated[
    str,
    Field(
        pattern=CONTRACT_PATTERN,
        description="The contract to analyse: a column of spx_holdings_hourly.parquet.",
        examples=["AAPL", "BRK-B"],
    ),
]
ContractNames = Annotated[
    list[ContractName] | None,
    Field(
        description="Contracts by name; leave empty to take them in the order of the data.",
        examples=[["AAPL", "MSFT"]],
    ),
]
PartitionGrain = Annotated[
    Grain, Field(description="What one partition covers.", examples=["bar", "session"])
]
JobPerChoice = Annotated[
    JobPer | None,
    Field(
        description="How much runs in a job of its own: run (nothing), symbol or partition. "
        "Empty: the setting TRADING_JOB_PER.",
        examples=["run", "symbol", "partition"],
    ),
]
Reprocess = Annotated[
    bool, Field(description="Whether to redo partitions whose results are up to date.")
]
PartitionFiles = Annotated[
    list[str] | None,
    Field(
        description="Partitions by their result files below output_dir, instead of contracts; "
        "empty: all of the contracts.",
        examples=[["AAPL/20240102_093000.parquet"]],
    ),
]
Strategy = Annotated[
    StrategyParameters,
    Field(
        description="How beta, thresholds and signals are computed.",
        examples=[{"beta_window": 60, "base_threshold_pct": 0.4}],
    ),
]
InputDir = Annotated[
    str | None,
    Field(
        description="Folder or fsspec URL of the market data. Empty: TRADING_INPUT_DIR.",
        examples=["input", "s3://bucket/input"],
    ),
]
OutputDir = Annotated[
    str | None,
    Field(
        description="Folder or fsspec URL of the results. Empty: TRADING_OUTPUT_DIR.",
        examples=["output", "s3://bucket/output"],
    ),
]

DEFAULT_STRATEGY = StrategyParameters()


def input_url(input_dir: str | None) -> str:
    """The input directory asked for, or the installation's."""
    return input_dir or settings().input_dir


def output_url(output_dir: str | None) -> str:
    """The output directory asked for, or the installation's."""
    return output_dir or settings().output_dir
