"""The settings of this project: `TRADING_` variables, which win, and `trading.yaml`."""

import json
import os
import re
import sys
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from adapters.market_data.sources import SourceKeys, SourceName
from adapters.news.sources import NewsKeys, NewsSourceName
from trading.alerts.delivery import quiet_hours
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.risk.limits import RiskLimits

if TYPE_CHECKING:
    # The fan-out loads Prefect, which takes seconds; processes of the live side need none of it.
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
    def symbol_placement(self) -> "Placement":
        """Where an `analyze-symbol` run executes."""
        from fanout import Placement  # noqa: PLC0415 - loads Prefect

        return Placement.INLINE if self is JobPer.RUN else Placement.JOB

    @property
    def partition_placement(self) -> "Placement":
        """Where an `analyze-time-partition` run executes."""
        from fanout import Placement  # noqa: PLC0415 - loads Prefect

        return Placement.JOB if self is JobPer.PARTITION else Placement.INLINE


PROJECT_DIR = "TRADING_PROJECT_DIR"
"""The variable that names the project's folder where no checkout or image is."""

SETTINGS_FILE = "TRADING_SETTINGS_FILE"
"""The variable that names the settings file; unset, it is the project's `trading.yaml`."""


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
    from fanout.prefect_engine.job_process import is_job  # noqa: PLC0415 - loads Prefect

    return (
        is_job()
        and _project() is None
        and "://" not in location
        and Path(location).is_relative_to(Path.cwd())
    )


def settings_file() -> Path:
    """The file with the settings, which need not be there unless a variable names it.

    Raises:
        ParameterError: It is named and does not exist.
    """
    named = os.environ.get(SETTINGS_FILE)
    path = Path(below_project(named or "trading.yaml"))
    if named and not path.is_file():
        next_step = f"correct the path, or unset {SETTINGS_FILE}"
        raise ParameterError(SETTINGS_FILE, named, "an existing file", next_step)
    return path


def _file_settings(settings_cls: type[BaseSettings]) -> PydanticBaseSettingsSource:
    """What the settings file says.

    Raises:
        ParameterError: It is no YAML with names and values.
    """
    path = settings_file()
    try:
        return YamlConfigSettingsSource(settings_cls, yaml_file=path)
    except (yaml.YAMLError, SettingsError, TypeError, ValueError, OSError) as error:
        words = " ".join(str(error).split())[:160]
        allowed = "a YAML file with a line NAME: VALUE for each setting"
        raise ParameterError("settings", str(path), allowed, f"correct it ({words})") from error


class Settings(BaseSettings):
    """What can be set for a whole installation; flow parameters override what they name too."""

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
    universe: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="The named list of symbols that is taken where none are named.",
    )
    intervals: Annotated[tuple[Interval, ...], NoDecode] = Field(
        default=(Interval.MINUTE,),
        min_length=1,
        description="Lengths of bars that are ingested where none is named.",
    )
    sources: Annotated[tuple[SourceName, ...], NoDecode] = Field(
        default=(SourceName.SYNTHETIC,),
        min_length=1,
        description="Sources of bars in the order in which they are asked.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="The Postgres database that is filled from the lake. Unset: a local one.",
    )
    database_years: int = Field(
        default=5, ge=1, le=100, description="Years of bars that the database keeps."
    )
    bus_url: SecretStr | None = Field(
        default=None,
        description="The event bus: redis://, rediss://, unix:// or kafka://. Unset: a local one.",
    )
    ticks_hours: float = Field(
        default=48.0, gt=0, le=24 * 366, description="Hours for which the bus keeps ticks."
    )
    bus_lease_seconds: float = Field(
        default=10.0,
        ge=1,
        le=600,
        description="Silence of a bus's reader after which another takes over what it held.",
    )
    lateness_seconds: float = Field(
        default=2.0,
        ge=0,
        le=300,
        description="How long after its end a live bar still waits for its ticks.",
    )
    stale_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="Silence of a live stream in a session after which it reconnects.",
    )
    backup_dir: str = Field(
        default=".trading/backups", description="Where backups are kept: a folder or fsspec URL."
    )
    polygon_api_key: SecretStr | None = Field(default=None, description="Key of Polygon (Massive).")
    alpaca_key_id: SecretStr | None = Field(default=None, description="Name of Alpaca's key.")
    alpaca_secret_key: SecretStr | None = Field(default=None, description="Key of Alpaca.")
    alpaca_trading_url: str = Field(
        default="https://paper-api.alpaca.markets",
        pattern=r"^https?://",
        description="Where Alpaca takes orders: the paper account's address, or the live one's.",
    )
    allow_live: Literal["yes", "no"] = Field(
        default="no", description="Whether anything here may trade with real money at all."
    )
    risk_limits: RiskLimits = Field(
        default=RiskLimits(),
        description="What the risk gate holds accounts to, as JSON, e.g. "
        '{"max_drawdown": "0.2", "max_gross": "1.5"}.',
    )
    notify: Annotated[dict[str, SecretStr], NoDecode] = Field(
        default={},
        description="Channels of notifications: names and Apprise URLs.",
    )
    notify_quiet: str | None = Field(
        default=None,
        description="Hours in which only what is critical is sent, e.g. 22:00-07:00 UTC.",
    )
    notify_per_minute: int = Field(
        default=20, ge=1, le=10_000, description="Notifications that a channel gets in a minute."
    )
    alerts_file: str = Field(
        default="alerts.yaml", description="File of alert rules; it need not be there."
    )
    news_source: NewsSourceName = Field(
        default=NewsSourceName.SYNTHETIC, description="Where news are fetched from."
    )
    news_half_life_hours: float = Field(
        default=24.0, gt=0, description="Age at which an article counts half in a symbol's score."
    )
    newsapi_key: SecretStr | None = Field(default=None, description="Key of NewsAPI.")
    newsapi_url: str = Field(
        default="https://newsapi.org", pattern=r"^https?://", description="Where NewsAPI is."
    )
    alpaca_data_url: str = Field(
        default="https://data.alpaca.markets",
        pattern=r"^https?://",
        description="Where Alpaca's news are.",
    )
    market_data_source: Literal["yahoo", "synthetic", "lake"] = Field(
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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - Pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the settings file."""
        return init_settings, env_settings, _file_settings(settings_cls)

    @field_validator("intervals", "sources", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:  # noqa: ANN401 - whatever a variable or the file holds
        if not isinstance(value, str):
            return value
        return [word.strip() for word in value.replace("->", ",").split(",") if word.strip()]

    @field_validator("notify", mode="before")
    @classmethod
    def _channels(cls, value: Any) -> Any:  # noqa: ANN401 - as above
        """`mail=mailto://... desk=slack://...`, or the same as a JSON object."""
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("{"):
            return json.loads(value)
        pairs = [word.partition("=") for word in value.split()]
        if not all(name and url for name, _, url in pairs):
            raise ValueError("it is not of the form NAME=URL NAME=URL")
        return {name: url for name, _, url in pairs}

    @field_validator("notify_quiet")
    @classmethod
    def _hours(cls, value: str | None) -> str | None:
        if value is not None:
            quiet_hours(value)
        return value

    @field_validator("alerts_file")
    @classmethod
    def _file_below_the_project(cls, value: str) -> str:
        return below_project(value)

    @property
    def news_keys(self) -> NewsKeys:
        """What sources of news are asked with."""
        return NewsKeys(
            newsapi_key=self.newsapi_key,
            newsapi_url=self.newsapi_url,
            alpaca_key_id=self.alpaca_key_id,
            alpaca_secret_key=self.alpaca_secret_key,
            alpaca_data_url=self.alpaca_data_url,
        )

    @property
    def keys(self) -> SourceKeys:
        """What vendors are asked with."""
        return SourceKeys(
            polygon_api_key=self.polygon_api_key,
            alpaca_key_id=self.alpaca_key_id,
            alpaca_secret_key=self.alpaca_secret_key,
        )

    @field_validator("input_dir", "output_dir", "lake_dir", "backup_dir")
    @classmethod
    def _below_the_project(cls, value: str) -> str:
        return below_project(value)

    def symbol_policy(self, placement: "Placement", widest: int) -> "FanOutPolicy":
        """The limits of an orchestrator's fan-out over contracts.

        Inline, as many contracts at once as together have the partitions that may execute at
        once: a wide one keeps the server busy, narrow ones leave it waiting in between.

        Args:
            placement: Where the contracts' runs execute.
            widest: Partitions of the contract that has most to do.
        """
        from fanout import Placement  # noqa: PLC0415 - loads Prefect

        if placement is Placement.INLINE:
            return self._policy(max(1, self.inline_in_flight // widest))
        return self._policy(self.symbol_jobs_in_flight)

    def partition_policy(self, placement: "Placement") -> "FanOutPolicy":
        """The limits of one contract's fan-out over its partitions."""
        from fanout import Placement  # noqa: PLC0415 - loads Prefect

        inline = placement is Placement.INLINE
        in_flight = self.inline_in_flight if inline else self.partition_jobs_in_flight
        return self._policy(in_flight, deadline=self.partition_deadline_seconds)

    def _policy(self, in_flight: int, deadline: float | None = None) -> "FanOutPolicy":
        from fanout import FanOutPolicy  # noqa: PLC0415 - loads Prefect

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
