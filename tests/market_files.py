"""Reading and changing the input files of a small market."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lake.market.inputs import MarketData
from storage.directory import open_directory
from tests.markets import Market


def opened(input_dir: str | Path) -> MarketData:
    """The market data of a directory, opened anew."""
    return MarketData(open_directory(str(input_dir), "input_dir"))


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table], **options: object) -> None:
    """Write a Parquet file again with its table changed."""
    pq.write_table(change(pq.read_table(path)), path, **options)


def pandas_frame(market: Market, unit: str, zone: str) -> pd.DataFrame:
    """The prices as a user of pandas has them: a named, aware index."""
    index = pd.DatetimeIndex(market.timestamps, tz="UTC", name="timestamp").as_unit(unit)
    return pd.DataFrame(market.prices, index=index.tz_convert(zone), columns=market.contracts)
