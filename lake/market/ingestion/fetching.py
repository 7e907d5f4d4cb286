"""Fetching symbols: only what is missing, with retries, several at a time."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import stamina

from adapters.market_data.protocol import (
    LONGEST_RETRY_AFTER,
    CloseInterval,
    ClosePrices,
    MarketDataSource,
    SourceError,
)
from lake.market.ingestion.merging import Merged, common_factor, merged, price_ratios
from lake.market.ingestion.request import IngestionRequest
from lake.market.ingestion.sessions import (
    TradingDays,
    complete_stock_bars,
    complete_vix_bars,
    misplaced_starts,
    sessions_between,
    usable,
)
from lake.market.ingestion.windows import Mask, sessions_to_fetch, windows
from trading.instruments.clock import midnight, to_datetime, to_datetime64


def _worth_retrying(error: Exception) -> bool | float:
    """Whether to try again, or after how many seconds when the source says so."""
    if not isinstance(error, SourceError) or not error.transient:
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else False


_RETRYING = stamina.RetryingCaller(
    attempts=5, timeout=None, wait_initial=1.0, wait_max=30.0, wait_jitter=1.0
).on(_worth_retrying)


@dataclass(frozen=True, slots=True, eq=False)
class Fetcher:
    """Fetches symbols of one source for one request.

    Attributes:
        source: Where from.
        request: What the user asked for.
        sessions: Every session of the request and of the stored data.
        wanted: Which of them the user asked for and have a complete bar.
        available: Which of them the source still has.
    """

    source: MarketDataSource
    request: IngestionRequest
    sessions: TradingDays
    wanted: Mask
    available: Mask

    def fetch_all(self, stored: Mapping[str, ClosePrices]) -> dict[str, Merged | SourceError]:
        """`fetch` of every symbol, several at a time; a failing one leaves the others.

        Args:
            stored: What is stored of each symbol to fetch, none being an empty series.
        """
        with ThreadPoolExecutor(self.source.max_parallel, "ingestion") as pool:
            outcomes = pool.map(self._fetch_or_error, stored.keys(), stored.values())
            return dict(zip(stored.keys(), outcomes, strict=True))

    def fetch(self, symbol: str, stored: ClosePrices) -> Merged:
        """What is stored of a symbol with what the source adds or restates.

        Raises:
            SourceError: The source did not deliver, also after retries, or has no bar.
        """
        held = self._sessions_of(stored)
        sent = self._sent(symbol, sessions_to_fetch(self.wanted, held, self.available))
        fetched = self._complete(symbol, sent)
        ratios = price_ratios(stored, fetched)
        if (ratios != 1).any():
            fetched = self._history(symbol, stored, held, common_factor(ratios))
        result = merged(stored, fetched)
        if not (self._sessions_of(result.prices) & self.wanted).any():
            raise SourceError(symbol, self._nothing_usable(sent))
        return result

    def wanted_range(self) -> tuple[date, date]:
        """The first and the last wanted session."""
        wanted = np.flatnonzero(self.wanted)
        return self._date(wanted[0]), self._date(wanted[-1])

    def _fetch_or_error(self, symbol: str, stored: ClosePrices) -> Merged | SourceError:
        try:
            return self.fetch(symbol, stored)
        except SourceError as error:
            return error

    def _history(self, symbol: str, stored: ClosePrices, held: Mask, factor: float) -> ClosePrices:
        """All the bars again, those that the source no longer has multiplied by `factor`."""
        fetched = self._complete(symbol, self._sent(symbol, (held | self.wanted) & self.available))
        older = stored[stored.timestamps < self._available_from()]
        return merged(ClosePrices(older.timestamps, older.close * factor), fetched).prices

    def _nothing_usable(self, sent: ClosePrices) -> str:
        """Why none of the bars that a source sent is one of the wanted sessions."""
        days = f"{self.request.first} to {self.request.last}"
        at = self.sessions.positions(sent.timestamps)
        wanted = sent[(at >= 0) & self.wanted[at]]
        starts = misplaced_starts(wanted, self.sessions, self.request.interval)
        if not starts:
            return f"{self.source.name} has no complete bar of it in {days}"
        rule = "at the open, 09:30, and every hour after it"
        if self.request.interval is CloseInterval.DAY:
            rule = "at midnight"
        return (
            f"the bars that {self.source.name} has of it in {days} start at {starts} in New York, "
            f"while {self.request.interval} bars here start {rule}; take them from a source that "
            "starts them so"
        )

    def _sent(self, symbol: str, chosen: Mask) -> ClosePrices:
        """What the source has of the chosen sessions, and of those between nearby ones."""
        parts = [
            _RETRYING(
                self.source.close_prices,
                symbol,
                midnight(self._date(first)),
                midnight(self._date(last) + timedelta(days=1)),
                self.request.interval,
            )
            for first, last in windows(chosen)
        ]
        fetched = ClosePrices(
            np.concatenate([ClosePrices.empty().timestamps, *(part.timestamps for part in parts)]),
            np.concatenate([ClosePrices.empty().close, *(part.close for part in parts)]),
        )
        return usable(fetched)

    def _complete(self, symbol: str, sent: ClosePrices) -> ClosePrices:
        """The complete bars of what the source sent."""
        complete = complete_vix_bars if symbol == self.source.vix_symbol else complete_stock_bars
        return complete(sent, self.sessions, self.request.interval, self.request.now)

    def _sessions_of(self, prices: ClosePrices) -> Mask:
        mask = np.zeros(len(self.sessions), bool)
        at = self.sessions.positions(prices.timestamps)
        mask[at[at >= 0]] = True
        return mask

    def _date(self, session: int | np.intp) -> date:
        return date.fromisoformat(str(self.sessions.dates[session]))

    def _available_from(self) -> np.datetime64:
        start: np.datetime64 = self.sessions.midnights[self.available][0]
        return start


def fetcher(
    source: MarketDataSource, request: IngestionRequest, stored: list[ClosePrices]
) -> Fetcher:
    """The fetcher of a request, given all the series that are stored."""
    bounds = [p.timestamps[row] for p in stored if len(p) for row in (0, -1)]
    days = [to_datetime(stamp).date() for stamp in bounds]
    sessions = sessions_between(min([request.first, *days]), max([request.last, *days]))
    asked = (sessions.dates >= np.datetime64(request.first)) & (
        sessions.dates <= np.datetime64(request.last)
    )
    history = source.history(request.interval)
    available = np.ones(len(sessions), bool)
    if history is not None:
        available = sessions.midnights >= to_datetime64(request.now - history)
    wanted = asked & sessions.with_bars(request.interval, request.now)
    return Fetcher(source, request, sessions, wanted, available)
