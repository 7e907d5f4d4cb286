"""Where close prices come from: the protocol that a source of them keeps.

The main pipeline needs closes alone, adjusted for splits; raw bars of open, high, low, close and
volume are `adapters.market_data.bar_source`.

A third source is one class with the members of `MarketDataSource`, handed to
`lake.market.ingestion.ingest`. It only has to fetch one symbol's closes over a range and to say of
a failure whether trying again can help (`SourceError.transient`). Retries, parallel symbols,
the removal of incomplete or misplaced bars, merging and the atomic replacement of the files are
done once for every source, in `lake.market.ingestion`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import numpy as np

from trading.arrays import Floats, Timestamps
from trading.errors import TradingError

LONGEST_RETRY_AFTER = 60.0
"""Seconds; a source that asks for a longer wait is given up, not waited for."""


class CloseInterval(StrEnum):
    """How long one bar lasts."""

    HOUR = "1h"
    DAY = "1d"


@dataclass(frozen=True, slots=True, eq=False)
class ClosePrices:
    """Close prices of one symbol.

    Attributes:
        timestamps: Bar starts as `datetime64[ns]` in UTC, shape (n,). A daily bar starts at
            midnight in New York.
        close: Close of each bar in the symbol's own unit, shape (n,), NaN where missing,
            adjusted for splits.
    """

    timestamps: Timestamps
    close: Floats

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.timestamps)

    def __getitem__(self, rows: slice | np.ndarray) -> ClosePrices:
        """The bars at the given positions, or where the given mask holds."""
        return ClosePrices(self.timestamps[rows], self.close[rows])

    @classmethod
    def empty(cls) -> ClosePrices:
        """No bars."""
        return cls(np.empty(0, "datetime64[ns]"), np.empty(0))


class SourceError(TradingError):
    """A source did not deliver a symbol.

    Args:
        symbol: The symbol asked for.
        reason: Why, in words for the user, without credentials.
        transient: Whether the same request may succeed later.
        retry_after: Seconds the source asks to wait before the next request, if it says so.
    """

    def __init__(
        self,
        symbol: str,
        reason: str,
        *,
        transient: bool = False,
        retry_after: float | None = None,
    ) -> None:
        self.symbol = symbol
        self.reason = reason
        self.transient = transient
        self.retry_after = retry_after
        super().__init__(f"{symbol}: {reason}")

    def __reduce__(self) -> tuple[object, ...]:
        """Prefect pickles exceptions between processes; two arguments go by keyword."""
        return _source_error, (
            type(self),
            self.symbol,
            self.reason,
            self.transient,
            self.retry_after,
        )


def _source_error(
    kind: type[SourceError],
    symbol: str,
    reason: str,
    transient: bool,  # noqa: FBT001 - called by pickle
    retry_after: float | None,
) -> SourceError:
    return kind(symbol, reason, transient=transient, retry_after=retry_after)


class MarketDataSource(Protocol):
    """What `lake.market.ingestion.ingest` needs of a source."""

    @property
    def name(self) -> str:
        """Stable name, stored beside the data: data of two sources are never merged."""
        ...

    @property
    def vix_symbol(self) -> str:
        """What the source calls the Cboe Volatility Index."""
        ...

    @property
    def spx_symbol(self) -> str:
        """What the source calls the S&P 500 index."""
        ...

    @property
    def max_parallel(self) -> int:
        """How many threads may call `close_prices` at a time."""
        ...

    def history(self, interval: CloseInterval) -> timedelta | None:
        """How far back from now bars of `interval` reach; None when nothing limits it."""
        ...

    def close_prices(
        self, symbol: str, start: datetime, end: datetime, interval: CloseInterval
    ) -> ClosePrices:
        """The closes of one symbol's bars that start in [start, end).

        May hold bars that are not complete yet, lie outside trading hours, repeat or are
        unsorted: the caller sorts that out. No bars in the range is an empty answer.

        Args:
            symbol: As the source calls it.
            start: First possible bar start, aware.
            end: First bar start no longer wanted, aware.
            interval: Length of a bar.

        Raises:
            SourceError: The source did not deliver.
        """
        ...
