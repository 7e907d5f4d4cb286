"""The day that tests of the live side tell again."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from lake.grain import Grain
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from tests.lake.bronze_files import write_bronze
from tests.lake.building import build
from trading.bars.synthetic_minutes import synthetic_minutes
from trading.instruments.clock import local_times

FIRST, DAY = date(2024, 7, 2), date(2024, 7, 3)
"""The last of these closes at 13:00."""

SYMBOLS = ("AAPL", "MSFT")


def write_lakes(morning: Path, evening: Path) -> None:
    """Make a lake up to the day before, and one with the day: what the evening will bring."""
    for symbol in SYMBOLS:
        bars = synthetic_minutes(symbol, FIRST, DAY)
        days = local_times(bars.timestamps).astype("datetime64[D]")
        write_bronze(morning, bars[days < np.datetime64(DAY)], "1m", Grain.SESSION)
        write_bronze(evening, bars, "1m", Grain.SESSION)
    for lake in (morning, evening):
        build(SilverDataset(), SilverRequest(lake_dir=str(lake)))
