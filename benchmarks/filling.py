"""Lakes that benchmarks run on, made in this process and without flow runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from adapters.market_data.synthetic_bars import SyntheticBarSource
from lake.bronze.dataset import BronzeDataset
from lake.bronze.request import BronzeRequest
from lake.dataset import Dataset, symbol_status
from lake.grain import Grain
from trading.bars.intervals import Interval


def fill_minutes(lake: str, symbols: Sequence[str], first: date, last: date) -> None:
    """Make up the minutes of symbols, a bronze file a session."""
    request = BronzeRequest(
        source="synthetic", interval=Interval.MINUTE, symbols=tuple(symbols), first=first,
        last=last, grain=Grain.SESSION, lake_dir=lake,
    )  # fmt: skip
    for symbol in symbols:
        bring_up_to_date(BronzeDataset(SyntheticBarSource()), request, symbol)


def bring_up_to_date(dataset: Dataset[Any, Any], request: Any, symbol: str) -> None:  # noqa: ANN401 - of its dataset
    """Compute what is due of a symbol, one partition after the other."""
    for key in symbol_status(dataset, request, symbol).due(reprocess=False):
        dataset.compute(request, key, "")
