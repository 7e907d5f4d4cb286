from __future__ import annotations

import warnings
from dataclasses import fields
from datetime import date
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import oracles
from trading.arrays import Floats, Timestamps
from trading.bars.synthetic import contract_names, synthetic_market
from trading.instruments.calendar import hourly_bars, sessions
from trading.strategies.market_model.inputs import ContractBars
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.market_model.signals import (
    Analysis,
    analyze,
    analyze_panel,
    lookback_bars,
    percent_change,
)
from trading.strategies.protocol import BUY, HOLD, SELL, SIGNAL_NAMES

DEFAULT = StrategyParameters()
SHORT = StrategyParameters(beta_window=6, beta_min_periods=3)


def hours(count: int) -> Timestamps:
    return np.datetime64("2024-01-02T14:30", "ns") + np.arange(count) * np.timedelta64(1, "h")


def bars_of(price: object, vix: object = None, spx: object = None) -> ContractBars:
    prices = np.array(price, float)
    n = len(prices)
    return ContractBars(
        "AAPL",
        hours(n),
        prices,
        np.full(n, 15.0) if vix is None else np.array(vix, float),
        np.linspace(4000.0, 4100.0, n) if spx is None else np.array(spx, float),
    )


def random_bars(seed: int, count: int, gaps: float) -> ContractBars:
    rng = np.random.default_rng(seed)
    price, spx = (100 * np.exp(np.cumsum(rng.normal(0, 0.005, count))) for _ in range(2))
    vix = 15 + rng.normal(0, 2, count)
    for series in (price, spx, vix):
        series[rng.random(count) < gaps] = np.nan
    return ContractBars("AAPL", hours(count), price, vix, spx)


def assert_right(found: Analysis, bars: ContractBars, strategy: StrategyParameters) -> None:
    """Every column agrees with the plain definitions."""
    price, spx = bars.price.tolist(), bars.spx.tolist()
    own, market = oracles.percent_changes(price), oracles.percent_changes(spx)
    window, least = strategy.beta_window, strategy.beta_min_periods
    fits = oracles.rolling(market, own, window, least)
    thresholds = [
        strategy.base_threshold_pct * vix / strategy.vix_baseline if oracles.usable(vix) else np.nan
        for vix in bars.vix.tolist()
    ]
    close = partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(found.timestamps, bars.timestamps)
    np.testing.assert_array_equal(found.price, bars.price)
    np.testing.assert_array_equal(found.vix, bars.vix)
    np.testing.assert_array_equal(found.spx, bars.spx)
    close(found.price_change_pct, own)
    close(found.spx_change_pct, market)
    close(found.beta, [fit.beta for fit in fits])
    close(found.correlation, [fit.correlation for fit in fits])
    close(found.buy_threshold, thresholds)
    close(found.sell_threshold, [-value for value in thresholds])
    signals = [
        oracles.signal(change, vix, strategy.base_threshold_pct, strategy.vix_baseline)
        for change, vix in zip(own, bars.vix.tolist(), strict=True)
    ]
    assert [SIGNAL_NAMES[code] for code in found.signal.tolist()] == signals


def assert_same_bits(one: Analysis, other: Analysis) -> None:
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        assert left.dtype == right.dtype
        assert left.tobytes() == right.tobytes(), field.name


@cache
def sample() -> tuple[ContractBars, ...]:
    stamps = hourly_bars(sessions(date(2024, 1, 2), date(2024, 1, 4)))
    market = synthetic_market(contract_names(10), stamps, 0)
    return tuple(
        ContractBars(name, stamps, price, market.vix, market.spx)
        for name, price in zip(market.contracts, market.prices.T, strict=True)
    )


def test_the_sample_agrees_with_the_plain_definitions() -> None:
    for bars in sample():
        assert_right(analyze(bars, DEFAULT), bars, DEFAULT)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 80),
    gaps=st.sampled_from([0.0, 0.05, 0.4]),
    window=st.integers(2, 30),
    share=st.floats(0, 1),
)
def test_random_bars_with_gaps_agree_with_the_plain_definitions(
    seed: int, count: int, gaps: float, window: int, share: float
) -> None:
    strategy = StrategyParameters(
        beta_window=window, beta_min_periods=max(2, round(share * window)), base_threshold_pct=0.3
    )
    bars = random_bars(seed, count, gaps)
    assert_right(analyze(bars, strategy), bars, strategy)


@pytest.mark.parametrize("window", [20, 60])
def test_real_daily_data_agree_with_the_plain_definitions(window: int) -> None:
    market = oracles.real_daily_market(["AAPL", "JPM"])
    assert len(market.dates) > 1_000
    stamps = np.array(market.dates, "datetime64[ns]")
    strategy = StrategyParameters(beta_window=window, beta_min_periods=10)
    for name, price in market.stocks.items():
        bars = ContractBars(
            name, stamps, np.array(price), np.array(market.vix), np.array(market.spx)
        )
        found = analyze(bars, strategy)
        assert_right(found, bars, strategy)
        assert set(found.signal.tolist()) == {BUY, HOLD, SELL}


def test_real_daily_betas_agree_with_scipy() -> None:
    market = oracles.real_daily_market(["XOM"])
    price, spx = market.stocks["XOM"][-300:], market.spx[-300:]
    bars = bars_of(price, market.vix[-300:], spx)
    found = analyze(bars, DEFAULT)
    fits = oracles.scipy_rolling(
        oracles.percent_changes(spx), oracles.percent_changes(price), 20, 10
    )
    np.testing.assert_allclose(found.beta, [fit.beta for fit in fits], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(
        found.correlation, [fit.correlation for fit in fits], rtol=1e-9, atol=1e-11
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 120),
    gaps=st.sampled_from([0.0, 0.1]),
    data=st.data(),
)
def test_what_comes_later_changes_nothing(
    seed: int, count: int, gaps: float, data: st.DataObject
) -> None:
    bars = random_bars(seed, count, gaps)
    kept = data.draw(st.integers(0, count))
    whole = analyze(bars, SHORT)
    assert_same_bits(analyze(bars[:kept], SHORT), whole[:kept])
    # Nor do other values in place of the later ones.
    other = random_bars(seed + 1, count, 0.5)
    changed = ContractBars(
        "AAPL",
        bars.timestamps,
        np.r_[bars.price[:kept], other.price[kept:]],
        np.r_[bars.vix[:kept], other.vix[kept:]],
        np.r_[bars.spx[:kept], other.spx[kept:]],
    )
    assert_same_bits(analyze(changed, SHORT)[:kept], whole[:kept])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 150),
    gaps=st.sampled_from([0.0, 0.1]),
    window=st.integers(2, 40),
    data=st.data(),
)
def test_a_slice_with_its_lookback_equals_the_whole(
    seed: int, count: int, gaps: float, window: int, data: st.DataObject
) -> None:
    strategy = StrategyParameters(beta_window=window, beta_min_periods=2)
    bars = random_bars(seed, count, gaps)
    first = data.draw(st.integers(0, count - 1))
    end = data.draw(st.integers(first + 1, count))
    begin = max(0, first - lookback_bars(strategy))
    part = analyze(bars[begin:end], strategy)[first - begin :]
    assert_same_bits(part, analyze(bars, strategy)[first:end])


def test_one_row_less_of_lookback_is_too_few() -> None:
    bars = random_bars(1, 60, 0.0)
    whole = analyze(bars, SHORT)[50:51]
    begin = 50 - lookback_bars(SHORT) + 1
    assert analyze(bars[begin:51], SHORT)[50 - begin :].beta[0] != whole.beta[0]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_panel_is_each_contract_on_its_own(order: str) -> None:
    count, contracts = 1_100, 70
    rng = np.random.default_rng(3)
    prices = 50 * np.exp(np.cumsum(rng.normal(0, 0.006, (count, contracts)), axis=0))
    prices[:400, 7] = np.nan
    prices[rng.random(count) < 0.1, 31] = np.nan
    prices = np.asarray(prices, order=order)  # type: ignore[call-overload]  # a str will do
    market = random_bars(4, count, 0.0)
    panel = list(analyze_panel(market.timestamps, prices, market.vix, market.spx, DEFAULT))
    assert len(panel) == contracts
    for column, found in enumerate(panel):
        price = prices[:, column].copy()
        bars = ContractBars("AAPL", market.timestamps, price, market.vix, market.spx)
        assert_same_bits(found, analyze(bars, DEFAULT))
    assert all(found.spx_change_pct is panel[0].spx_change_pct for found in panel)
    assert all(np.shares_memory(found.price, prices) for found in panel)


def test_signals_lie_strictly_beyond_the_thresholds() -> None:
    # At a VIX of 30 the threshold doubles to 1 %: 1 % exactly is not above it.
    found = analyze(bars_of([100, 101, 102.02, 103.2, 103.2, 101], vix=[30] * 6), SHORT)
    at_threshold = found.price_change_pct[1]
    assert at_threshold == pytest.approx(1.0)
    assert found.buy_threshold.tolist() == [1.0] * 6
    assert found.sell_threshold.tolist() == [-1.0] * 6
    signals = [
        BUY if change > 1.0 else SELL if change < -1.0 else HOLD
        for change in found.price_change_pct.tolist()
    ]
    assert found.signal.tolist() == signals
    assert signals[3:] == [BUY, HOLD, SELL]
    equal = StrategyParameters(base_threshold_pct=at_threshold, vix_baseline=15.0)
    assert analyze(bars_of([100, 101], vix=[15, 15]), equal).signal.tolist() == [HOLD, HOLD]
    half = StrategyParameters(base_threshold_pct=50.0)
    assert analyze(bars_of([100, 50, 75, 37, 56]), half).signal.tolist() == [0, 0, 0, SELL, BUY]


def test_a_higher_vix_makes_fewer_signals() -> None:
    bars = random_bars(5, 500, 0.0)
    calm, wild = (
        analyze(
            ContractBars("A", bars.timestamps, bars.price, np.full(500, vix), bars.spx), DEFAULT
        )
        for vix in (12.0, 24.0)
    )
    assert 0 < np.count_nonzero(wild.signal) < np.count_nonzero(calm.signal)


def test_percent_means_percent() -> None:
    np.testing.assert_allclose(percent_change(np.array([200.0, 201.0, 100.5])), [np.nan, 0.5, -50])


@pytest.mark.parametrize(
    ("prices", "change"),
    [
        ([4.0, 2.0, np.inf], [np.nan, -50.0, np.nan]),
        ([np.inf, 2.0, 4.0], [np.nan, np.nan, 100.0]),
        ([4.0, 2.0, 0.0], [np.nan, -50.0, np.nan]),
        ([-1.0, -2.0, -4.0], [np.nan, np.nan, np.nan]),
        ([1e-200, 1e200, 2e200], [np.nan, np.nan, 100.0]),
        ([1e200, 1e-200, 2e-200], [np.nan, -100.0, 100.0]),
    ],
)
def test_a_change_needs_two_prices_and_a_ratio_that_is_a_number(
    prices: list[float], change: list[float]
) -> None:
    np.testing.assert_array_equal(percent_change(np.array(prices)), change)


@pytest.mark.parametrize("bad", [0.0, -3.0, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("column", ["price", "spx", "vix"])
def test_values_that_cannot_be_are_missing_and_warn_of_nothing(column: str, bad: float) -> None:
    rng = np.random.default_rng(0)
    series = {
        name: np.linspace(100.0, 140.0, 30) + rng.random(30) for name in ("price", "vix", "spx")
    }
    series[column][12:14] = bad
    bars = ContractBars("AAPL", hours(30), series["price"], series["vix"], series["spx"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = analyze(bars, SHORT)
    assert_right(found, bars, SHORT)
    derived = found.buy_threshold if column == "vix" else getattr(found, f"{column}_change_pct")
    assert np.flatnonzero(np.isnan(derived)).tolist() == (
        [12, 13] if column == "vix" else [0, 12, 13, 14]
    )


@pytest.mark.parametrize("price", [-5.0, np.nan])
def test_a_contract_without_a_usable_price_is_null_throughout(price: float) -> None:
    found = analyze(bars_of([price] * 10), SHORT)
    for column in (found.price_change_pct, found.beta, found.correlation):
        assert np.isnan(column).all()
    assert not found.signal.any()


def test_a_change_too_large_for_a_float_is_null() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = analyze(bars_of([1e-300, 1e300, 1e-300, 1e300]), SHORT)
    np.testing.assert_array_equal(found.price_change_pct, [np.nan, np.nan, -100.0, np.nan])


def test_beta_is_null_and_not_one_without_a_moving_market() -> None:
    found = analyze(bars_of([100, 101, 102, 101, 103, 104, 102, 105], spx=[4000] * 8), SHORT)
    assert np.isnan(found.beta).all()
    assert np.isnan(found.correlation).all()
    assert np.isfinite(found.price_change_pct[1:]).all()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_shortest_series(count: int) -> None:
    bars = random_bars(0, count, 0.0)
    found = analyze(bars, SHORT)
    assert len(found) == count
    assert_right(found, bars, SHORT)
    assert found.signal.dtype == np.int8


def test_arrays_of_different_length_are_refused() -> None:
    bars = random_bars(0, 10, 0.0)
    with pytest.raises(ValueError, match="10 timestamps, 9 VIX and 10 SPX"):
        analyze(ContractBars("A", bars.timestamps, bars.price, bars.vix[1:], bars.spx), SHORT)
    with pytest.raises(ValueError, match="9 prices for 10 timestamps"):
        analyze(ContractBars("A", bars.timestamps, bars.price[1:], bars.vix, bars.spx), SHORT)


def test_the_input_is_left_as_it_was() -> None:
    bars = random_bars(0, 50, 0.1)
    before: list[npt.NDArray[np.float64]] = [bars.price.copy(), bars.vix.copy(), bars.spx.copy()]
    analyze(bars, SHORT)
    for kept, now in zip(before, (bars.price, bars.vix, bars.spx), strict=True):
        np.testing.assert_array_equal(kept, now)


def estimated_betas(contracts: int, last: date) -> tuple[Floats, Floats, Floats]:
    """True betas, estimates from one window over the whole series, and their standard errors."""
    stamps = hourly_bars(sessions(date(2010, 1, 4), last))
    market = synthetic_market(contract_names(contracts), stamps, 0)
    rows = len(stamps) - 1
    strategy = StrategyParameters(beta_window=rows, beta_min_periods=rows)
    panel = list(analyze_panel(stamps, market.prices, market.vix, market.spx, strategy))
    beta = np.array([found.beta[-1] for found in panel])
    correlation = np.array([found.correlation[-1] for found in panel])
    # Of a simple regression: se = |beta / r| * sqrt((1 - r^2) / (n - 2)).
    error = np.abs(beta / correlation) * np.sqrt((1 - correlation**2) / (rows - 2))
    return market.betas, beta, error


def test_estimated_betas_are_the_true_ones_within_their_standard_error() -> None:
    true, estimated, error = estimated_betas(120, date(2013, 12, 31))
    z = (estimated - true) / error
    assert error.max() < 0.03
    assert np.abs(z).max() < 4.5
    # The mean of 120 squared standard normals has a standard deviation of sqrt(2 / 120).
    assert np.mean(z**2) == pytest.approx(1.0, abs=4 * np.sqrt(2 / 120))
