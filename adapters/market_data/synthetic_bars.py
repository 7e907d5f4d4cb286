"""The synthetic market as a source of bars: minutes, and days made of them, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from adapters.market_data.bar_source import (
    Capability,
    Delivery,
    Reach,
    checked_request,
)
from adapters.market_data.rows import delivery
from trading.bars.intervals import Interval
from trading.bars.model import VALUES
from trading.bars.synthetic import contract_names
from trading.bars.synthetic_minutes import (
    FIRST_DATE,
    synthetic_days,
    synthetic_minutes,
    synthetic_splits,
)
from trading.instruments.actions import CorporateAction
from trading.instruments.clock import NEW_YORK
from trading.instruments.instrument import Instrument

LISTED = 500
"""Instruments that it lists; it has bars of any name."""


class SyntheticBarSource:
    """Bars of `trading.bars.synthetic_minutes`; the name and the seed determine them.

    Args:
        seed: Not negative.
        extended_hours: Whether there are minutes before the open and after the close.
    """

    name = "synthetic"

    def __init__(self, seed: int = 0, *, extended_hours: bool = True) -> None:
        self._seed = seed
        reach = Reach(first=FIRST_DATE)
        self.capability = Capability(
            reach={Interval.MINUTE: reach, Interval.DAY: reach},
            requests_per_second=None,
            max_parallel=1,
            extended_hours=extended_hours,
            actions=True,
            instruments=True,
        )

    def check_access(self) -> None:
        """Nothing: it needs no key and no network."""

    def bars(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> Delivery:
        """The bars of one symbol that start in [start, end).

        Raises:
            ParameterError: The request makes no sense.
            SourceError: There are no bars of the interval, or none so early.
        """
        checked_request(self, symbol, interval, start, end)
        last = end - timedelta(microseconds=1)
        dates = (start.astimezone(NEW_YORK).date(), last.astimezone(NEW_YORK).date())
        if interval is Interval.DAY:
            bars = synthetic_days(symbol, *dates, seed=self._seed)
        else:
            bars = synthetic_minutes(
                symbol,
                *dates,
                seed=self._seed,
                extended_hours=self.capability.extended_hours,
            )
        values = {name: getattr(bars, name) for name in VALUES}
        return delivery(
            self.name, symbol, timestamps=bars.timestamps, values=values, start=start, end=end
        )

    def actions(self, symbol: str, first: date, last: date) -> tuple[CorporateAction, ...]:
        """The splits with an ex-date from `first` to `last`; there are no dividends.

        Raises:
            ParameterError: The symbol is malformed.
        """
        return synthetic_splits(symbol, first, last, seed=self._seed)

    def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """The first names that `contract_names` has, or those asked for."""
        names = contract_names(LISTED) if symbols is None else symbols
        return tuple(
            Instrument(symbol=name, name=f"Synthetic {name}", exchange="XNYS", listed=FIRST_DATE)
            for name in sorted(names)
        )
