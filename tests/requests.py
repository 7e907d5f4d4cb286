"""Requests of all kinds: what properties about printed commands draw from."""

from __future__ import annotations

from datetime import datetime

from hypothesis import strategies as st

from trading.instruments.symbols import CONTRACT_PATTERN
from trading.strategies.market_model.parameters import StrategyParameters

CONTRACTS = st.from_regex(CONTRACT_PATTERN, fullmatch=True) | st.from_regex(
    r"[0-9]{1,6}(E[0-9])?", fullmatch=True
)
"""Names of contracts, some of which JSON takes for numbers."""

DAYS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - aware where used


@st.composite
def _strategies(draw: st.DrawFn) -> StrategyParameters:
    window = draw(st.integers(2, 10_000))
    positive = st.floats(0, 100, exclude_min=True)
    return StrategyParameters(
        beta_window=window,
        beta_min_periods=draw(st.integers(2, window)),
        base_threshold_pct=draw(positive),
        vix_baseline=draw(positive),
        cost_bps=draw(st.floats(0, 1_000)),
    )


STRATEGIES = st.just(StrategyParameters()) | _strategies()
"""Parameters of the strategy, the defaults now and then."""
