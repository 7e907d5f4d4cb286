"""Flows that follow the market: closed days, evenings, and a step that fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.boundary.settings import settings
from flows.operations import timed
from flows.operations.end_of_day import steps_of
from lake.bronze.quality_report import bars_report
from storage.directory import open_directory
from tests.flows.conftest import Pipeline
from trading.bars.quality.findings import Status

EVENING = "2024-01-04T18:00:00-05:00"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty lake as the settings name it, and no database."""
    monkeypatch.setenv("TRADING_LAKE_DIR", str(tmp_path / "lake"))
    monkeypatch.delenv("TRADING_DATABASE_URL", raising=False)
    settings.cache_clear()
    yield tmp_path / "lake"
    settings.cache_clear()


def files_of(lake: Path) -> list[str]:
    return [file.relative_to(lake).as_posix() for file in lake.rglob("*.parquet")]


@pytest.mark.parametrize(
    ("flow", "at"),
    [
        ("end-of-day", "2024-01-01T18:00:00-05:00"),  # New Year
        ("end-of-day", "2024-01-06T18:00:00-05:00"),  # Saturday
        ("hourly", "2024-01-15T10:05:00-05:00"),  # Martin Luther King Day
        ("hourly", "2024-07-03T14:05:00-04:00"),  # after the close of a half day
        ("news", "2024-01-06T10:05:00-05:00"),  # Saturday
        ("news", "2024-07-03T14:05:00-04:00"),  # after the close of a half day
        ("session-check", "2024-12-25T09:25:00-05:00"),
    ],
)
async def test_when_the_market_is_closed_there_is_nothing_to_do(
    pipeline: Pipeline, lake: Path, flow: str, at: str
) -> None:
    ended = await pipeline.run(f"{flow}/{flow}", {"at": at})
    assert ended.state.is_completed()
    assert ended.message.startswith("market closed: ")
    assert await pipeline.children(ended.id) == []
    assert files_of(lake) == []


async def test_an_evening_brings_bars_to_signals(pipeline: Pipeline, lake: Path) -> None:
    ended = await pipeline.run(
        "end-of-day/end-of-day", {"symbols": ["AAPL"], "at": EVENING, "intervals": ["5m"]}
    )
    assert ended.state.is_completed(), ended.message
    assert [run.name for run in await pipeline.children(ended.id)] == [
        "1 symbol, 1m", "check-bars", "medallion",
    ]  # fmt: skip
    assert any(file.startswith("gold/") for file in files_of(lake))
    report = bars_report(open_directory(str(lake), "lake_dir"), ["AAPL", "NONE"],
                         date(2024, 1, 4), date(2024, 1, 4))  # fmt: skip
    verdicts = {one.symbol: one.verdict for one in report.findings}
    assert verdicts["NONE"] is Status.FAIL
    assert verdicts["AAPL"] is not Status.FAIL
    assert report.is_failure


async def test_a_step_that_fails_stops_no_other_and_its_command_is_told(
    pipeline: Pipeline, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_SOURCES", "polygon")  # for which there is no key
    settings.cache_clear()
    ended = await pipeline.run("end-of-day/end-of-day", {"symbols": ["AAPL"], "at": EVENING})
    assert ended.state.is_failed()
    assert "bronze" in ended.message
    text = (await pipeline.artifacts(ended.id))["end-of-day"]
    assert "TRADING_POLYGON_API_KEY" in text
    assert "prefect deployment run bronze/bronze" in text
    assert len(await pipeline.children(ended.id)) == 3  # the steps after it were tried


def test_with_a_database_the_books_are_compared_and_the_day_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def names() -> list[str]:
        settings.cache_clear()
        steps = steps_of(["AAPL"], date(2024, 1, 4), ["vegas_channel"], ["1d"])
        return [step.deployment.partition("/")[0] for step in steps]

    monkeypatch.delenv("TRADING_DATABASE_URL", raising=False)
    assert names() == ["bronze", "medallion", "check-bars"]
    monkeypatch.setenv("TRADING_DATABASE_URL", "postgresql://db/trading")
    assert names()[3:] == [
        "load-database", "reconcile-orders", "update-positions", "performance-report",
        "daily-summary",
    ]  # fmt: skip
    settings.cache_clear()


def test_a_run_is_about_the_moment_it_was_meant_for() -> None:
    given: Any = timed.meant_for(datetime.fromisoformat(EVENING))
    assert given.isoformat() == "2024-01-04T23:00:00+00:00"
