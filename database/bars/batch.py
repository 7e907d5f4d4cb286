"""Bars on their way into the database: of one source, symbol and interval, as of one moment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from database.bars.columns import BAR_TABLES, FLOATS, arrow_rows, float_values
from trading.arrays import Floats, Timestamps
from trading.bars.intervals import Interval
from trading.bars.model import PRICES, VALUES, Bars
from trading.errors import DataError, ParameterError
from trading.instruments.symbols import checked_contract

Mask = npt.NDArray[np.bool_]
Values = Mapping[str, Floats]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BarBatch:
    """What a source said of a symbol's bars at one moment; checked, sorted, one row a bar.

    Attributes:
        symbol: The symbol.
        interval: `1m` or `1d`.
        source: Who said it, e.g. `polygon`.
        known_at: When it was fetched: of two batches with a bar the later one counts. For a file
            of the lake it is the moment the file was made, not that of this load.
        timestamps: Bar starts, UTC, strictly increasing, whole microseconds, shape (n,).
        rows: The other columns and `ts`, in the order of the table, n rows.
        digest: SHA-256 of all that, but for `known_at`.
    """

    symbol: str
    interval: Interval
    source: str
    known_at: datetime
    timestamps: Timestamps
    rows: pa.Table
    digest: bytes

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.timestamps)


def batch_of_bars(bars: Bars, interval: Interval, source: str, known_at: datetime) -> BarBatch:
    """A batch of the given bars; of two with the same start the later one in order counts.

    Raises:
        ParameterError: There is no table for the interval, the symbol or the source is no name, or
            `known_at` is naive.
        DataError: A bar cannot be one, such as a high below the close.
    """
    _check_names(bars.symbol, interval, source, known_at)
    values = {name: np.asarray(getattr(bars, name), np.float64) for name in VALUES}
    kept = _last_of_each(bars.timestamps)
    timestamps = bars.timestamps[kept].astype("datetime64[ns]")
    # One pattern of bits for each value: NaN has many, and zero two.
    values = {
        name: np.where(np.isnan(column), np.nan, column + 0.0)[kept]
        for name, column in values.items()
    }
    what = f"{bars.symbol} {interval} of {source}"
    _check_bars(what, timestamps, values)
    rows = arrow_rows(timestamps, values)
    digest = _digest((bars.symbol, interval, source), timestamps, values)
    return BarBatch(
        symbol=bars.symbol,
        interval=interval,
        source=source,
        known_at=known_at.astimezone(UTC),
        timestamps=timestamps,
        rows=rows,
        digest=digest,
    )


def batch_of_table(
    table: pa.Table, symbol: str, interval: Interval, source: str, known_at: datetime
) -> BarBatch:
    """A batch of an Arrow table with the columns of a bronze file.

    Args:
        table: `timestamp` (with a time zone), `open`, `high`, `low`, `close`, `volume`, perhaps
            `vwap` and `trades`; other columns take no part.
        symbol: The symbol.
        interval: `1m` or `1d`.
        source: Who said it.
        known_at: When it was fetched.

    Raises:
        ParameterError: As for `batch_of_bars`.
        DataError: A column is missing or of another type, or a bar cannot be one.
    """
    what = f"{symbol} {interval} of {source}"
    missing = [name for name in ("timestamp", *FLOATS[:5]) if name not in table.column_names]
    if missing:
        raise DataError(what, f"there is no column {missing[0]}", "pass the columns of a bar")
    stamps = table.column("timestamp")
    if not pa.types.is_timestamp(stamps.type) or stamps.type.tz is None or stamps.null_count:
        raise DataError(
            what, "column timestamp is not of instants with a time zone", "convert it to UTC"
        )
    absent = np.full(len(table), np.nan)
    columns = {
        name: float_values(table.column(name)) if name in table.column_names else absent
        for name in VALUES
    }
    bars = Bars(
        symbol=symbol, timestamps=stamps.cast(pa.timestamp("ns", "UTC")).to_numpy(), **columns
    )
    return batch_of_bars(bars, interval, source, known_at)


def _check_names(symbol: str, interval: Interval, source: str, known_at: datetime) -> None:
    checked_contract(symbol)
    if interval not in BAR_TABLES:
        allowed = " or ".join(BAR_TABLES)
        raise ParameterError("interval", str(interval), allowed, "load one of these intervals")
    if not source:
        raise ParameterError("source", source, "a name", "say who delivered the bars")
    if known_at.utcoffset() is None:
        raise ParameterError(
            "known_at", known_at, "time-zone aware", "pass the moment of the fetch in UTC"
        )


def _last_of_each(timestamps: Timestamps) -> npt.NDArray[np.int64]:
    """Positions in order of time, the last one of each timestamp."""
    order = np.argsort(timestamps, kind="stable")
    stamps = timestamps[order]
    last = np.ones(len(stamps), np.bool_)
    last[:-1] = stamps[1:] != stamps[:-1]
    return order[last]


_REFUSED: tuple[tuple[str, Callable[[Values], Mask]], ...] = (
    ("a price is missing or not a positive number", lambda v: ~_are_prices(v)),
    ("the low lies above open or close", lambda v: v["low"] > np.minimum(v["open"], v["close"])),
    ("the high lies below open or close", lambda v: v["high"] < np.maximum(v["open"], v["close"])),
    ("the volume is negative or infinite", lambda v: (v["volume"] < 0) | np.isinf(v["volume"])),
    ("vwap is not a positive number", lambda v: (v["vwap"] <= 0) | np.isinf(v["vwap"])),
    ("trades is no count", lambda v: (v["trades"] < 0) | (np.floor(v["trades"]) < v["trades"])),
    ("trades is infinite", lambda v: np.isinf(v["trades"])),
)
"""What no bar can be, as the tables' own checks have it."""


def _are_prices(values: Values) -> Mask:
    prices = np.array([values[name] for name in PRICES])
    good: Mask = (np.isfinite(prices) & (prices > 0)).all(axis=0)
    return good


def _check_bars(what: str, timestamps: Timestamps, values: Values) -> None:
    if (timestamps != timestamps.astype("datetime64[us]")).any():
        raise DataError(what, "a timestamp is finer than a microsecond", "correct the source")
    for problem, is_wrong in _REFUSED:
        wrong = np.flatnonzero(is_wrong(values))
        if len(wrong):
            stamp = timestamps[wrong[0]].astype("datetime64[s]")
            raise DataError(
                what,
                f"{problem} in the bar of {stamp}Z and {len(wrong) - 1} more",
                "check the bars before they are loaded; none of them was",
            )


def _digest(names: tuple[str, ...], timestamps: Timestamps, values: Values) -> bytes:
    digest = hashlib.sha256("\n".join(names).encode())
    digest.update(timestamps.astype(np.int64).tobytes())
    for name in VALUES:
        digest.update(values[name].tobytes())
    return digest.digest()
