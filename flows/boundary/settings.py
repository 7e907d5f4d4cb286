"""The settings of this project: environment variables that start with `TRADING_`."""

import os
import re
import sys
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from fanout import FanOutPolicy, Placement


class JobPer(StrEnum):
    """How much runs in a job of its own; every partition is its own flow run in all three."""

    RUN = "run"
    """Everything inside the orchestrator's process."""
    SYMBOL = "symbol"
    """A job per contract, its partitions inside it."""
    PARTITION = "partition"
    """A job per partition as well."""

    @property
    def symbol_placement(self) -> Placement:
        """Where an `analyze-symbol` run executes."""
        return Placement.INLINE if self is JobPer.RUN else Placement.JOB

    @property
    def partition_placement(self) -> Placement:
        """Where an `analyze-time-partition` run executes."""
        return Placement.JOB if self is JobPer.PARTITION else Placement.INLINE


PROJECT_DIR = "TRADING_PROJECT_DIR"
"""The variable that names the project's folder where no checkout or image is."""

_JOB = "PREFECT__FLOW_RUN_ID"
"""In the environment of a process that executes one flow run."""


def project_root() -> Path:
    """The folder of this checkout or image, or the working directory when there is none.

    Relative folders are meant below it, so that a worker finds the same files as a shell.
    """
    return _project() or Path.cwd()


def _project() -> Path | None:
    # A checkout holds this package, the image the virtual environment that holds it.
    for folder in (Path(__file__).resolve().parents[2], Path(sys.prefix).parent):
        if (folder / "prefect.yaml").is_file():
            return folder
    named = os.environ.get(PROJECT_DIR)
    return Path(named).absolute() if named else None


def below_project(location: str) -> str:
    """A location as every process of this installation means it: a relative path is made absolute.

    Args:
        location: A path, with or without `file://`, or another fsspec URL, which stays as it is.
    """
    path = re.sub(r"^(file|local):(//)?", "", location)
    if "://" in path or path.startswith("~"):
        return location
    return os.path.abspath(project_root() / path)  # noqa: PTH100 - Path.resolve would follow links


def is_lost_with_the_job(location: str) -> bool:
    """Whether it lies in the folder in which a worker executes one run, and then removes.

    Args:
        location: As `below_project` returns it.
    """
    return (
        _JOB in os.environ
        and _project() is None
        and "://" not in location
        and Path(location).is_relative_to(Path.cwd())
    )


class Settings(BaseSettings):
    """What can be set for a whole installation; flow parameters override the first three."""

    model_config = SettingsConfigDict(env_prefix="TRADING_", extra="forbid", frozen=True)

    input_dir: str = Field(
        default="input", description="Where market data are: a folder or an fsspec URL."
    )
    output_dir: str = Field(
        default="output", description="Where results go: a folder or an fsspec URL."
    )
    lake_dir: str = Field(
        default="output/lake", description="Where the lake is: a folder or an fsspec URL."
    )
    market_data_source: Literal["yahoo", "synthetic"] = Field(
        default="yahoo", description="Where ingestion fetches from."
    )
    aws_credentials_block: str | None = Field(
        default=None,
        pattern=r"^((aws|minio)-credentials/)?[A-Za-z0-9][A-Za-z0-9 _-]*$",
        description="Prefect block with the credentials for s3:// locations: the name of an "
        "AwsCredentials block, or minio-credentials/NAME. Unset: the AWS environment and profile.",
    )
    job_per: JobPer = Field(default=JobPer.RUN, description="How much runs in a job of its own.")
    work_pool: str = Field(default="trading", description="The work pool of the deployments.")
    inline_in_flight: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Partitions that execute at once inside one process.",
    )
    symbol_jobs_in_flight: int = Field(
        default=4, ge=1, le=200, description="Symbol jobs that exist at once."
    )
    partition_jobs_in_flight: int = Field(
        default=100, ge=1, le=200, description="Partition jobs that one symbol run has open."
    )
    crash_attempts: int = Field(
        default=3, ge=1, le=20, description="Flow runs that one crashing partition may take."
    )
    partition_deadline_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Longest time from creating a partition's job to its end; unset: no limit.",
    )
    pending_deadline_seconds: float = Field(
        default=600.0,
        gt=0,
        description="Longest time from a worker's taking a run to its job; then it is redone. A "
        "cluster's job waits for its node.",
    )
    poll_seconds: float = Field(
        default=2.0, gt=0, le=60, description="Pause between two looks at children in jobs."
    )

    @field_validator("input_dir", "output_dir", "lake_dir")
    @classmethod
    def _below_the_project(cls, value: str) -> str:
        return below_project(value)

    def symbol_policy(self, placement: Placement, widest: int) -> FanOutPolicy:
        """The limits of an orchestrator's fan-out over contracts.

        Inline, as many contracts at once as together have the partitions that may execute at
        once: a wide one keeps the server busy, narrow ones leave it waiting in between.

        Args:
            placement: Where the contracts' runs execute.
            widest: Partitions of the contract that has most to do.
        """
        if placement is Placement.INLINE:
            return self._policy(max(1, self.inline_in_flight // widest))
        return self._policy(self.symbol_jobs_in_flight)

    def partition_policy(self, placement: Placement) -> FanOutPolicy:
        """The limits of one contract's fan-out over its partitions."""
        inline = placement is Placement.INLINE
        in_flight = self.inline_in_flight if inline else self.partition_jobs_in_flight
        return self._policy(in_flight, deadline=self.partition_deadline_seconds)

    def _policy(self, in_flight: int, deadline: float | None = None) -> FanOutPolicy:
        return FanOutPolicy(
            max_in_flight=in_flight,
            max_attempts=self.crash_attempts,
            poll_seconds=self.poll_seconds,
            child_deadline_seconds=deadline,
            pending_deadline_seconds=self.pending_deadline_seconds,
        )


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
