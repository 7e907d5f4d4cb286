"""The settings and what they say of a fan-out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from fanout import Placement
from flows.boundary.settings import JobPer, Settings, project_root


def test_relative_folders_are_meant_below_the_project() -> None:
    settings = Settings(input_dir="input", output_dir="out/put")
    assert Path(settings.input_dir) == project_root() / "input"
    assert Path(settings.output_dir) == project_root() / "out" / "put"


@pytest.mark.parametrize("url", ["s3://bucket/prefix", "memory://x", "/absolute", "~/data"])
def test_urls_and_absolute_paths_stay_as_they_are(url: str) -> None:
    assert Settings(output_dir=url).output_dir == url


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_JOB_PER", "partition")
    monkeypatch.setenv("TRADING_INLINE_IN_FLIGHT", "9")
    settings = Settings()
    assert settings.job_per is JobPer.PARTITION
    assert settings.partition_policy(Placement.INLINE).max_in_flight == 9


@pytest.mark.parametrize(("widest", "at_once"), [(1, 4), (2, 2), (3, 1), (4, 1), (24, 1)])
def test_narrow_contracts_run_at_once_up_to_the_partitions_wanted(
    widest: int, at_once: int
) -> None:
    settings = Settings(inline_in_flight=4, symbol_jobs_in_flight=7)
    assert settings.symbol_policy(Placement.INLINE, widest).max_in_flight == at_once
    assert settings.symbol_policy(Placement.JOB, widest).max_in_flight == 7


def test_a_value_that_is_not_allowed_names_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_JOB_PER", "galaxy")
    with pytest.raises(ValidationError, match="job_per"):
        Settings()


@pytest.mark.parametrize(
    ("job_per", "symbol", "partition"),
    [
        (JobPer.RUN, Placement.INLINE, Placement.INLINE),
        (JobPer.SYMBOL, Placement.JOB, Placement.INLINE),
        (JobPer.PARTITION, Placement.JOB, Placement.JOB),
    ],
)
def test_job_per_says_where_runs_execute(
    job_per: JobPer, symbol: Placement, partition: Placement
) -> None:
    assert (job_per.symbol_placement, job_per.partition_placement) == (symbol, partition)
