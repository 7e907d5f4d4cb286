"""The parameters that several flows share, as types: what the Prefect UI shows and refuses."""

from typing import Annotated

from pydantic import Field

from flows.boundary.settings import (
    PROJECT_DIR,
    JobPer,
    below_project,
    is_lost_with_the_job,
    settings,
)
from lake.grain import Grain
from storage.directory import Directory, open_directory
from storage.location import checked_location
from trading.errors import ParameterError
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
StoredGrain = Annotated[
    Grain | None,
    Field(
        description="What one result covers. Empty: what most of the results do.",
        examples=["bar", "session"],
    ),
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
StoredStrategy = Annotated[
    StrategyParameters | None,
    Field(
        description="What results should have been computed with: others count as stale. "
        "Empty: that of the last result.",
        examples=[{"beta_window": 60, "base_threshold_pct": 0.4}],
    ),
]
InputDir = Annotated[
    str | None,
    Field(
        description="Folder, absolute or below the project's, or fsspec URL of the market data. "
        "Empty: TRADING_INPUT_DIR.",
        examples=["input", "s3://bucket/input"],
    ),
]
OutputDir = Annotated[
    str | None,
    Field(
        description="Folder, absolute or below the project's, or fsspec URL of the results. "
        "Empty: TRADING_OUTPUT_DIR.",
        examples=["output", "s3://bucket/output"],
    ),
]
LakeDir = Annotated[
    str | None,
    Field(
        description="Folder, absolute or below the project's, or fsspec URL of the lake. "
        "Empty: TRADING_LAKE_DIR.",
        examples=["output/lake", "s3://bucket/lake"],
    ),
]

DEFAULT_STRATEGY = StrategyParameters()


def input_url(input_dir: str | None) -> str:
    """The input directory asked for, or the installation's; absolute, whatever process asks.

    Raises:
        ParameterError: It cannot name a directory, or would be gone with this process.
    """
    return _located(input_dir, settings().input_dir, "input_dir")


def output_url(output_dir: str | None) -> str:
    """The output directory asked for, or the installation's; absolute, whatever process asks.

    Raises:
        ParameterError: It cannot name a directory, or would be gone with this process.
    """
    return _located(output_dir, settings().output_dir, "output_dir")


def input_directory(input_dir: str | None) -> Directory:
    """The input directory asked for, or the installation's, to be handed on.

    Raises:
        ParameterError, LocationError: It is no usable location.
    """
    return open_directory(input_url(input_dir), "input_dir")


def output_directory(output_dir: str | None) -> Directory:
    """The output directory asked for, or the installation's, to be handed on.

    Raises:
        ParameterError, LocationError: It is no usable location.
    """
    return open_directory(output_url(output_dir), "output_dir")


def lake_url(lake_dir: str | None) -> str:
    """The lake asked for, or the installation's; absolute, whatever process asks.

    Raises:
        ParameterError: It cannot name a directory, or would be gone with this process.
    """
    return _located(lake_dir, settings().lake_dir, "lake_dir")


def _located(asked: str | None, installed: str, parameter: str) -> str:
    location = below_project(checked_location(asked, parameter)) if asked else installed
    if is_lost_with_the_job(location):
        raise ParameterError(
            parameter,
            asked or installed,
            "an absolute path or a URL, and this run's worker knows no folder of the project",
            f"pass an absolute one, or start the worker with {PROJECT_DIR} set",
        )
    return location
