"""Fetching and fan-out in one run: the real client of Yahoo, against a local server."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from datetime import date, datetime, time
from functools import partial
from typing import Any

import pytest
import yfinance as yf

from adapters.market_data.yahoo import YahooSource
from flows import ingest_market_data_flow
from flows.boundary.settings import project_root
from lake.market.ingestion import ingest
from lake.market.inputs import open_market_data
from tests.adapters.yahoo_server import (
    NEW_YORK,
    LocalSession,
    YahooServer,
    not_found,
    stock_day,
    vix_day,
)
from tests.flows.conftest import Ended, Pipeline

ORCHESTRATOR = "trading-orchestrator/orchestrator"
SYMBOLS = ["AAPL", "MSFT", "GOOGL", "AMZN", "TSLA"]
DAYS = [date(2024, 10, day) for day in (14, 15, 16, 17, 18)]


def printed_parameters() -> dict[str, Any]:
    """What the documented command for fresh data passes, as `prefect deployment run` reads it."""
    usage = (project_root() / "docs" / "usage.md").read_text()
    (command,) = re.findall(r"(?m)^uv run .*run_ingestion=true (?:.*\\\n)*.*$", usage)
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:6] == ["uv", "run", "prefect", "deployment", "run", ORCHESTRATOR]
    assert words[6::2] == ["--param"] * len(words[6::2])
    return {name: _value(text) for name, _, text in (word.partition("=") for word in words[7::2])}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[YahooServer]:
    """A week of five stocks, the VIX and the S&P 500, by the hour and by the day."""
    yf.set_tz_cache_location(str(tmp_path_factory.mktemp("yfinance")))
    with YahooServer().running() as running:
        for at, day in enumerate(DAYS):
            for number, symbol in enumerate((*SYMBOLS, "^GSPC")):
                price = 100.0 * (number + 1) + at
                running.put(symbol, stock_day(day, price))
                running.put(symbol, {datetime.combine(day, time(9, 30), NEW_YORK): price}, "1d")
            running.put("^VIX", vix_day(day, 19.0 + at))
            running.put("^VIX", {datetime.combine(day, time(9, 30), NEW_YORK): 19.0 + at}, "1d")
        yield running


async def orchestrate(
    pipeline: Pipeline,
    server: YahooServer,
    monkeypatch: pytest.MonkeyPatch,
    *,
    now: datetime,
    input_dir: str = "fetched",
    **parameters: Any,
) -> Ended:
    """Run the orchestrator at a moment; only the clock and Yahoo's address are not its own."""
    source = YahooSource(LocalSession(server.port))
    monkeypatch.setattr(ingest_market_data_flow, "_source", lambda *_: source)
    monkeypatch.setattr(ingest_market_data_flow, "ingest", partial(ingest, now=now))
    fetched = str(pipeline.input.parent / input_dir)
    places = {"input_dir": fetched, "output_dir": str(pipeline.output)}
    asked = printed_parameters() | parameters
    return await pipeline.run(ORCHESTRATOR, {"job_per": "run", **asked, **places})


@pytest.mark.slow
async def test_the_fan_out_runs_over_the_days_and_contracts_that_were_fetched(
    pipeline: Pipeline, server: YahooServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.always["TSLA"] = not_found("TSLA")
    saturday = datetime(2024, 10, 19, 12, tzinfo=NEW_YORK)
    hourly = {"ingestion_interval": "1h", "grain": "session"}  # by session: fewer runs
    ended = await orchestrate(pipeline, server, monkeypatch, now=saturday, **hourly)
    assert ended.state.is_completed(), ended.message
    summary = await ended.value()
    assert (summary.completed, summary.failed) == (16, 0)
    assert (summary.portfolio["contracts"], summary.portfolio["bars"]) == (4, 4 * 7)
    assert pipeline.results() == sorted(
        f"{symbol}/202410{day}.parquet" for symbol in SYMBOLS[:4] for day in (15, 16, 17, 18)
    )
    names = {run.name for run in await pipeline.children(ended.id)}
    assert names == {"ingest 1h", "validate data", *SYMBOLS[:4], "aggregate portfolio"}
    assert {(r.start.date(), r.end.date()) for r in server.asked("AAPL")} == {
        (DAYS[1], date(2024, 10, 19))
    }


@pytest.mark.slow
async def test_days_too_long_ago_for_hourly_bars_are_told_and_taken_as_daily_ones(
    pipeline: Pipeline, server: YahooServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = datetime(2026, 11, 21, 12, tzinfo=NEW_YORK)
    hourly = {"ingestion_interval": "1h"}
    failed = await orchestrate(pipeline, server, monkeypatch, now=later, **hourly)
    assert failed.state.is_failed()
    assert failed.message == (
        "ingest-market-data/ingest-market-data failed: start_date='2024-10-15' is not within the "
        "730 days for which yahoo keeps 1h bars; start at 2024-11-22 or later, or take daily bars: "
        "interval='1d', which is ingestion_interval of the orchestrator."
    )
    assert not server.requests
    assert not pipeline.output.exists()
    assert not (pipeline.input.parent / "fetched").exists()

    ended = await orchestrate(pipeline, server, monkeypatch, now=later)
    assert ended.state.is_completed(), ended.message
    summary = await ended.value()
    assert (summary.completed, summary.failed) == (5 * 4, 0)
    data = open_market_data(str(pipeline.input.parent / "fetched"))
    assert list(data.contracts) == SYMBOLS
    bars = data.prices.values("MSFT", 0, data.rows)
    assert bars.tolist() == [201.0, 202.0, 203.0, 204.0]


@pytest.mark.slow
async def test_documented_ingestions_in_their_order_work_in_one_folder(
    pipeline: Pipeline, server: YahooServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hourly bars, then the documented daily ones in the same folders, then hourly ones again."""
    first = await pipeline.orchestrate()
    hourly = await first.value()
    saturday = datetime(2024, 10, 19, 12, tzinfo=NEW_YORK)
    for computed, skipped in ((20, 0), (0, 20)):
        ended = await orchestrate(pipeline, server, monkeypatch, now=saturday, input_dir="input")
        assert ended.state.is_completed(), ended.message
        daily = await ended.value()
        assert (daily.completed, daily.skipped, daily.failed) == (computed, skipped, 0)
        assert (daily.portfolio["contracts"], daily.portfolio["bars"]) == (5, 4)
        assert daily.portfolio["orphaned_results"] == 0
    shown = (await pipeline.artifacts(ended.id))["orchestration-summary"]
    assert f"Input: {pipeline.input}/1d\n" in shown
    assert f"Results: {pipeline.output}/1d\n" in shown
    below = {run.name: run.id for run in await pipeline.children(ended.id)}
    told = (await pipeline.artifacts(below["ingest 1d"]))["ingestion-summary"]
    assert f"those of 1d are in {pipeline.input}/1d" in told

    again = await (await pipeline.orchestrate()).value()
    assert (again.completed, again.skipped) == (0, 16)
    assert again.portfolio == hourly.portfolio
