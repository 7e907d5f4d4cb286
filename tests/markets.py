"""A small market for the tests of storage, planning and partitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import stamina

from lake.grain import Grain
from lake.market.inputs import write_market_data
from lake.market.request import MarketRequest
from storage.directory import open_directory
from trading.arrays import Floats, Timestamps
from trading.strategies.market_model.inputs import ContractBars
from trading.strategies.market_model.parameters import StrategyParameters

SMALL = StrategyParameters(beta_window=4, beta_min_periods=3)
"""A strategy whose window fits into a small market."""


@dataclass(frozen=True)
class Market:
    """Input data in memory, with a way to write them."""

    timestamps: Timestamps
    contracts: tuple[str, ...]
    prices: npt.NDArray[np.float64]
    vix_timestamps: Timestamps
    vix: Floats
    spx_timestamps: Timestamps
    spx: Floats

    def write(self, directory: Path | str) -> str:
        """Write the three files and return the directory as a URL."""
        write_market_data(
            str(directory),
            self.timestamps,
            self.prices,
            self.contracts,
            self.vix_timestamps,
            self.vix,
            self.spx_timestamps,
            self.spx,
        )
        return str(directory)

    def with_price(self, row: int, contract: int, price: float) -> Market:
        """The same market but for one price."""
        prices = self.prices.copy()
        prices[row, contract] = price
        return replace(self, prices=prices)


def session_timestamps(sessions: int, start: str = "2024-01-02") -> Timestamps:
    """Eight bars a day, 9:30 to 15:30 and 16:00 in New York in winter, on consecutive days."""
    days = np.datetime64(start, "D") + np.arange(sessions)
    minutes = np.array([570, 630, 690, 750, 810, 870, 930, 960]) + 300
    stamps = days[:, None].astype("datetime64[m]") + minutes.astype("timedelta64[m]")
    flat: Timestamps = stamps.ravel().astype("datetime64[ns]")
    return flat


def random_market(timestamps: Timestamps, contracts: int = 3, seed: int = 7) -> Market:
    """Random walks at the given bars; the VIX comes 15 minutes before each bar."""
    random = np.random.default_rng(seed)
    n = len(timestamps)
    market = random.normal(0, 0.004, n)
    noise = random.normal(0, 0.004, (n, contracts))
    return Market(
        timestamps=timestamps,
        contracts=("AAPL", "BRK-B", "MSFT", "JPM", "V")[:contracts],
        prices=100 * np.exp(np.cumsum(1.2 * market[:, None] + noise, axis=0)),
        vix_timestamps=timestamps - np.timedelta64(15, "m"),
        vix=15 + random.normal(0, 1, n),
        spx_timestamps=timestamps,
        spx=4700 * np.exp(np.cumsum(market)),
    )


def request_of(
    input_dir: str,
    output_dir: str,
    contract: str = "AAPL",
    grain: Grain = Grain.BAR,
    strategy: StrategyParameters = SMALL,
) -> MarketRequest:
    """What is asked of one contract."""
    return MarketRequest(
        input_dir=open_directory(input_dir, "input_dir"),
        output_dir=open_directory(output_dir, "output_dir"),
        contracts=(contract,),
        grain=grain,
        strategy=strategy,
    )


def bars_of(market: Market, contract: int = 0) -> ContractBars:
    """One contract's bars, aligned by construction."""
    return ContractBars(
        market.contracts[contract],
        market.timestamps,
        market.prices[:, contract],
        market.vix,
        market.spx,
    )


@pytest.fixture
def market() -> Market:
    """Three contracts, three sessions of eight bars."""
    return random_market(session_timestamps(3))


@pytest.fixture
def input_dir(market: Market, tmp_path: Path) -> str:
    """Where `market` is written."""
    return market.write(tmp_path / "input")


@pytest.fixture(autouse=True)
def _retries_without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=5, cap=True):
        yield
