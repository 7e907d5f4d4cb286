"""A small market at a local Yahoo, and `ingest` from it into one directory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import stamina
import yfinance as yf

from adapters.market_data.protocol import MarketDataSource
from adapters.market_data.synthetic import SyntheticSource
from adapters.market_data.yahoo import YahooSource
from lake.market.ingestion import IngestionSummary, ingest
from lake.market.inputs import PRICES_FILE, SPX_FILE, VIX_FILE, MarketData
from storage.directory import Directory, open_directory
from tests.adapters.yahoo_server import NEW_YORK, LocalSession, YahooServer, stock_day, vix_day

WEEK = [date(2024, 10, day) for day in (14, 15, 16, 17, 18)]
SATURDAY = datetime(2024, 10, 19, 12, tzinfo=NEW_YORK)
FILES = (PRICES_FILE, VIX_FILE, SPX_FILE)


@pytest.fixture(scope="module", autouse=True)
def _yfinance_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    yf.set_tz_cache_location(str(tmp_path_factory.mktemp("yfinance")))


@pytest.fixture(autouse=True)
def _retries_without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=5):
        yield


@pytest.fixture
def server() -> Iterator[YahooServer]:
    with YahooServer().running() as running:
        for offset, day in enumerate(WEEK):
            running.put("AAPL", stock_day(day, 230.0 + offset))
            running.put("MSFT", stock_day(day, 420.0 + offset))
            running.put("^GSPC", stock_day(day, 5_800.0 + offset))
            running.put("^VIX", vix_day(day, 19.0 + offset))
        yield running


@pytest.fixture
def source(server: YahooServer) -> YahooSource:
    return YahooSource(LocalSession(server.port))


class Ingestion:
    """`ingest` into one directory, with defaults for the tests."""

    def __init__(self, source: MarketDataSource, input_dir: str) -> None:
        self.source, self.input_dir = source, input_dir

    def __call__(
        self, start: date | None = WEEK[0], end: date | None = WEEK[-1], **other: Any
    ) -> IngestionSummary:
        options = {"symbols": ["AAPL", "MSFT"], "interval": "1h", "now": SATURDAY, **other}
        return ingest(self.source, start=start, end=end, input_dir=self.input_dir, **options)

    @property
    def directory(self) -> Directory:
        return open_directory(self.input_dir, "input_dir")

    def contents(self) -> dict[str, bytes | None]:
        directory = self.directory
        return {
            name: directory.read_bytes(name) if directory.identity(name) else None for name in FILES
        }

    def closes(self, contract: str) -> list[float]:
        data = MarketData(self.directory)
        closes: list[float] = data.prices.values(contract, 0, data.rows).tolist()
        return closes


@pytest.fixture
def run(source: YahooSource, tmp_path: Path) -> Ingestion:
    return Ingestion(source, str(tmp_path / "input"))


def expected(price: float, days: list[date]) -> list[float]:
    return [
        float(close)
        for day in days
        for close in stock_day(day, price + WEEK.index(day)).values()
        if close is not None
    ]


@pytest.fixture
def synthetic(tmp_path: Path) -> Ingestion:
    """An ingestion that costs no requests, for what happens after fetching."""
    return Ingestion(SyntheticSource(first=WEEK[0]), str(tmp_path / "input"))
