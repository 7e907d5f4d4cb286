"""The market that the benchmarks run on: synthetic, hourly, from the first session of 2000."""

from __future__ import annotations

from datetime import date

from lake.market.inputs import write_market_data
from trading.bars.synthetic import SyntheticMarket, contract_names, synthetic_market
from trading.instruments.calendar import hourly_bars, sessions

FIRST, LAST = date(2000, 1, 3), date(2013, 12, 31)


def market_of(contracts: int, bars: int | None = None) -> SyntheticMarket:
    """The first bars of fourteen years, all of them by default."""
    stamps = hourly_bars(sessions(FIRST, LAST))[:bars]
    return synthetic_market(contract_names(contracts), stamps, seed=0)


def write_market(input_dir: str, market: SyntheticMarket, bars: int | None = None) -> None:
    """Write the first bars, all of them by default, as the three input files."""
    stamps = market.timestamps[:bars]
    write_market_data(
        input_dir,
        stamps,
        market.prices[:bars],
        list(market.contracts),
        stamps,
        market.vix[:bars],
        stamps,
        market.spx[:bars],
    )
