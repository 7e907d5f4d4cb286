"""The synthetic market as a source: deterministic, offline, with known betas.

A generated series begins somewhere, and what it says of a bar depends on how many bars came
before. So every answer is cut from the one series that begins with the source's first session:
asking piece by piece gives what asking at once does.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np

from adapters.market_data.protocol import CloseInterval, ClosePrices
from trading.arrays import Timestamps
from trading.bars.synthetic import SyntheticMarket, synthetic_market
from trading.instruments.calendar import hourly_bars, sessions
from trading.instruments.clock import local_times, to_datetime64

FIRST_SESSION = date(2024, 1, 2)


class SyntheticSource:
    """Hourly closes of `trading.bars.synthetic.synthetic_market`, and each session's last as daily.

    Args:
        first: Where every series begins; there are no bars before.
        seed: Of the generator, not negative.
    """

    name = "synthetic"
    vix_symbol = "^VIX"
    spx_symbol = "^GSPC"
    max_parallel = 1

    def __init__(self, first: date = FIRST_SESSION, seed: int = 0) -> None:
        self._first = first
        self._seed = seed

    def history(self, interval: CloseInterval) -> timedelta | None:  # noqa: ARG002 - the protocol's
        """Nothing limits it but the first session, before which there are no bars."""
        return None

    def close_prices(
        self, symbol: str, start: datetime, end: datetime, interval: CloseInterval
    ) -> ClosePrices:
        """The closes of one symbol's bars that start in [start, end).

        Raises:
            ParameterError: `symbol` is not a contract name.
        """
        stamps = self._bar_starts(end.date())
        prices = ClosePrices(stamps, self._closes(symbol, stamps))
        if interval is CloseInterval.DAY:
            prices = _last_of_each_date(prices)
        asked = (prices.timestamps >= to_datetime64(start)) & (
            prices.timestamps < to_datetime64(end)
        )
        return prices[asked]

    def _bar_starts(self, last: date) -> Timestamps:
        within = sessions(self._first, last)
        # The sample stamps a session's close as well, at which no hourly bar starts.
        return np.setdiff1d(hourly_bars(within), within.closes, assume_unique=True)

    def _closes(self, symbol: str, stamps: Timestamps) -> np.ndarray:
        index = symbol in (self.vix_symbol, self.spx_symbol)
        market: SyntheticMarket = synthetic_market([] if index else [symbol], stamps, self._seed)
        if symbol == self.vix_symbol:
            return market.vix
        return market.spx if index else market.prices[:, 0]


def _last_of_each_date(prices: ClosePrices) -> ClosePrices:
    """Daily closes, stamped with the midnight in New York at which their date begins."""
    local = local_times(prices.timestamps)
    dates = local.astype("datetime64[D]")
    last = np.append(dates[1:] != dates[:-1], True)[: len(prices)]
    return ClosePrices(prices.timestamps[last] - (local - dates)[last], prices.close[last])
