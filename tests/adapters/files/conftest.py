"""Files as vendors deliver them, and the source that reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from adapters.market_data.files.source import FileSource
from storage.directory import open_directory
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.instruments.clock import NEW_YORK

START = datetime(2000, 1, 1, tzinfo=NEW_YORK)
END = datetime(2030, 1, 1, tzinfo=NEW_YORK)
HEAD = "timestamp,open,high,low,close,volume"
OPEN = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
STAMPS = [OPEN + timedelta(minutes=i) for i in range(3)]
VALUES = ["1,3,0.5,2,100", "2,4,1.5,3,200.5", "3,5,2.5,4,300"]


def source_of(folder: Path, timezone: str | None = None) -> FileSource:
    return FileSource(open_directory(str(folder), "from"), timezone=timezone)


def read(folder: Path, interval: Interval = Interval.MINUTE, timezone: str | None = None) -> Bars:
    return source_of(folder, timezone).bars("AAPL", interval, START, END).bars


def write(folder: Path, text: str, name: str = "AAPL.csv") -> None:
    (folder / name).write_text(text)


def lines(times: list[str], head: str = HEAD, separator: str = ",") -> str:
    rows = [f"{time},{values}" for time, values in zip(times, VALUES, strict=True)]
    return "\n".join([head, *rows, ""]).replace(",", separator)


def assert_the_three_minutes(bars: Bars) -> None:
    expected = [np.datetime64(stamp.replace(tzinfo=None), "ns") for stamp in STAMPS]
    assert bars.timestamps.tolist() == np.array(expected).tolist()
    assert bars.open.tolist() == [1, 2, 3]
    assert bars.high.tolist() == [3, 4, 5]
    assert bars.low.tolist() == [0.5, 1.5, 2.5]
    assert bars.close.tolist() == [2, 3, 4]
    assert bars.volume.tolist() == [100, 200.5, 300]
