"""From the rows of an answer to bars: sorted, each timestamp once, within the range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from adapters.market_data.bar_source import Delivery
from adapters.market_data.protocol import SourceError
from trading.arrays import Floats, Timestamps
from trading.bars.model import VALUES, Bars
from trading.instruments.clock import to_datetime64

OPTIONAL = ("vwap", "trades")
"""Fields that a source may lack; they are then NaN."""


def delivery(
    source: str,
    symbol: str,
    *,
    timestamps: Timestamps,
    values: Mapping[str, Floats],
    start: datetime,
    end: datetime,
) -> Delivery:
    """An answer's rows as bars; of rows with the same timestamp the last one counts.

    Args:
        source: Name of the source.
        symbol: Our symbol.
        timestamps: Bar starts, UTC, shape (n,), in the order of the answer.
        values: By field of `Bars`, shape (n,) each; `vwap` and `trades` may be missing.
        start: First possible bar start.
        end: First bar start no longer wanted.
    """
    inside = (timestamps >= to_datetime64(start)) & (timestamps < to_datetime64(end))
    # Stable, so that rows of the same timestamp keep the order in which they came.
    order = np.argsort(timestamps, kind="stable")
    order = order[inside[order]]
    ordered = timestamps[order]
    last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]
    kept = order[last]
    columns = {
        name: np.asarray(values[name], np.float64)[kept]
        if name in values
        else np.full(len(kept), np.nan)
        for name in VALUES
    }
    bars = Bars(symbol=symbol, timestamps=timestamps[kept].astype("datetime64[ns]"), **columns)
    return Delivery(source=source, bars=bars, repeated=len(order) - len(kept))


def columns_of(
    rows: Sequence[Mapping[str, Any]], keys: Mapping[str, str], symbol: str, source: str
) -> dict[str, Floats]:
    """The fields of JSON rows as columns.

    Args:
        rows: One mapping per bar.
        keys: The rows' key by field of `Bars`.
        symbol: Our symbol, for the error.
        source: Who answered, for the error.

    Returns:
        Arrays of shape (n,), NaN where a row lacks `vwap` or `trades`.

    Raises:
        SourceError: A row lacks a price or the volume, or holds something that is no number.
    """
    try:
        return {
            field: np.array(
                [_number(row.get(key) if field in OPTIONAL else row[key]) for row in rows],
                np.float64,
            )
            for field, key in keys.items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"a bar of {source}'s answer lacks a number ({type(error).__name__}: {error})"
        raise SourceError(symbol, reason, transient=True) from error


def _number(value: object) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__} instead of a number")
    return float(value)
