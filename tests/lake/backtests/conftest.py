"""A lake with daily silver of two symbols, made once."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lake.backtests.dataset import BacktestDataset, WalkForwardDataset
from lake.backtests.request import BacktestRequest
from lake.silver.days import SilverDaysDataset
from lake.silver.request import SilverRequest
from tests.lake.bronze_files import write_days
from tests.lake.building import build
from trading.backtest.sweep.parameter_sets import Search, parameter_sets
from trading.bars.intervals import Interval
from trading.strategies.registry import strategy_named

BACKTESTS, FOLDS = BacktestDataset(), WalkForwardDataset()
FIRST, LAST = date(2021, 1, 4), date(2022, 12, 30)
GRID = {"periods": [5, 9], "oversold": [30, 40]}


def make_silver(lake: Path) -> None:
    build(SilverDaysDataset(), SilverRequest(lake_dir=str(lake)))


@pytest.fixture(scope="session")
def two_symbols(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("backtests")
    for symbol in ("AAPL", "MSFT"):
        write_days(lake, symbol, FIRST, LAST)
    make_silver(lake)
    return lake


@pytest.fixture
def lake(two_symbols: Path, tmp_path: Path) -> Path:
    """A copy of its own for each test."""
    return Path(shutil.copytree(two_symbols, tmp_path / "lake"))


def asked(lake: Path, strategy: str = "rsi_reversion", **more: Any) -> BacktestRequest:
    grid = more.pop("grid", GRID if strategy == "rsi_reversion" else {})
    sets = parameter_sets(strategy_named(strategy), Search(grid=grid)).sets
    return BacktestRequest(
        lake_dir=str(lake),
        strategy=strategy,
        interval=Interval(more.pop("interval", "1d")),
        sets=sets,
        **more,
    )
