"""A small lake, made by the datasets themselves: bronze, silver, gold, and a sweep."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from adapters.market_data.synthetic_bars import SyntheticBarSource
from lake.backtests.dataset import BacktestDataset, WalkForwardDataset
from lake.backtests.request import BacktestRequest
from lake.bronze.dataset import BronzeDataset
from lake.bronze.request import BronzeRequest
from lake.dataset import Dataset
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.grain import Grain
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from tests.api.desk.seed import NOW
from trading.backtest.sweep.parameter_sets import Search, parameter_sets
from trading.bars.intervals import Interval
from trading.strategies.registry import strategy_named

RUN = "5b7f0c1e-8a44-4c5f-9d8b-3f8f6a1f0d11"
"""The flow run that is said to have made every file."""

STRATEGY = "rsi_reversion"


def fill_lake(lake_dir: str, symbols: tuple[str, ...] = ("AAPL", "MSFT"), days: int = 14) -> None:
    """Make every layer of the last days; the last session of the first symbol is left out."""
    last = NOW.date() - timedelta(days=1)
    first = last - timedelta(days=days)
    for symbol in symbols:
        until = last - timedelta(days=1) if symbol == symbols[0] else last
        bronze = BronzeRequest(
            source="synthetic",
            interval=Interval.MINUTE,
            symbols=(symbol,),
            first=first,
            last=until,
            grain=Grain.SESSION,
            lake_dir=lake_dir,
        )
        _make(BronzeDataset(SyntheticBarSource(), clock=lambda: NOW), bronze, symbol)
        _make(SilverDataset(), SilverRequest(lake_dir=lake_dir, symbols=(symbol,)), symbol)
    strategy = strategy_named(STRATEGY)
    gold = GoldRequest(
        lake_dir=lake_dir, strategy=STRATEGY, intervals=(Interval.MINUTES_5,), symbols=symbols
    )
    for symbol in symbols:
        _make(GoldDataset(), gold, symbol)
    names = list(strategy.parameters.model_fields)
    fields = {name: strategy.parameters.model_fields[name].default for name in names}
    grid = {name: _values(value) for name, value in list(fields.items())[:2]}
    search = Search(grid=grid)
    tests = BacktestRequest(
        lake_dir=lake_dir,
        strategy=STRATEGY,
        interval=Interval.MINUTES_5,
        sets=parameter_sets(strategy, search).sets,
        symbols=symbols[:1],
    )
    _make(BacktestDataset(), tests, symbols[0])
    walk = BacktestRequest(
        lake_dir=lake_dir,
        strategy=STRATEGY,
        interval=Interval.MINUTES_5,
        sets=tests.sets,
        symbols=symbols[:1],
        folds=2,
    )
    _make(WalkForwardDataset(), walk, symbols[0])


def _values(default: Any) -> list[Any]:
    if isinstance(default, int):
        return [default - 4, default - 2, default, default + 3, default + 6]
    return [default * share for share in (0.7, 0.85, 1.0, 1.2)]


def _make(dataset: Dataset[Any, Any], request: Any, symbol: str) -> None:
    for wanted in dataset.wanted(request, symbol):
        dataset.compute(request, wanted.key, RUN)
