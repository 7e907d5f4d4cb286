from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import oracles
from trading.arrays import Floats
from trading.indicators import rolling
from trading.indicators.rolling import RollingRegression

RNG_SEED = 20240102


def fitted(
    x: Floats, y: Floats, window: int, min_periods: int | None = None
) -> tuple[Floats, Floats]:
    return RollingRegression(x, window, min_periods or 2).on(y)


def expected(x: Floats, y: Floats, window: int, min_periods: int) -> tuple[Floats, Floats]:
    fits = oracles.rolling(x.tolist(), y.tolist(), window, min_periods)
    return np.array([fit.beta for fit in fits]), np.array([fit.correlation for fit in fits])


def assert_fits(
    found: tuple[Floats, Floats], right: tuple[Floats, Floats], x: Floats, y: Floats
) -> None:
    """To 1e-9 of what the slope could be, given how much x and y vary."""
    scale = float(np.nanstd(y) / np.nanstd(x)) if len(x) else 1.0
    np.testing.assert_allclose(found[0], right[0], rtol=1e-9, atol=1e-11 * scale)
    np.testing.assert_allclose(found[1], right[1], rtol=1e-9, atol=1e-11)


def noise(rows: int, seed: int = RNG_SEED) -> Floats:
    return np.random.default_rng(seed).standard_normal(rows)


@pytest.mark.parametrize("window", [2, 7, 20, 60])
def test_matches_scipy(window: int) -> None:
    x, y = noise(150, 1), noise(150, 2) + 0.5 * noise(150, 1)
    fits = oracles.scipy_rolling(x.tolist(), y.tolist(), window, 2)
    right = np.array([f.beta for f in fits]), np.array([f.correlation for f in fits])
    assert_fits(fitted(x, y, window), right, x, y)


@st.composite
def series_with_gaps(draw: st.DrawFn) -> tuple[Floats, Floats, int, int]:
    rows = draw(st.integers(0, 90))
    window = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x, y = rng.standard_normal((2, rows)) * draw(st.sampled_from([1e-3, 1.0, 50.0]))
    x += draw(st.sampled_from([0.0, 0.01, 30.0]))
    y += draw(st.sampled_from([0.0, -0.2, 100.0])) + draw(st.floats(-2, 2)) * x
    x[rng.random(rows) < draw(st.sampled_from([0.0, 0.1, 0.6]))] = np.nan
    y[rng.random(rows) < draw(st.sampled_from([0.0, 0.1, 0.6]))] = np.nan
    halted = draw(st.integers(0, 90))
    y[halted : halted + draw(st.integers(0, 50))] = 0.0
    return x, y, window, draw(st.integers(2, window))


@settings(max_examples=120, deadline=None)
@given(series_with_gaps())
def test_matches_the_textbook_with_gaps(case: tuple[Floats, Floats, int, int]) -> None:
    x, y, window, min_periods = case
    found = fitted(x, y, window, min_periods)
    right = expected(x, y, window, min_periods)
    np.testing.assert_array_equal(np.isnan(found[0]), np.isnan(right[0]))
    np.testing.assert_array_equal(np.isnan(found[1]), np.isnan(right[1]))
    pairs = np.isfinite(x) & np.isfinite(y)
    for row in np.flatnonzero(~np.isnan(right[0])):
        part = slice(max(0, row - window + 1), row + 1)
        spread = float(np.std(y[part][pairs[part]]) / np.std(x[part][pairs[part]]))
        # Data near 100 with a spread of 0.001 hold some 1e-16 * 100 / 0.001 of noise each.
        assert found[0][row] == pytest.approx(right[0][row], rel=1e-9, abs=1e-9 * spread + 1e-15)


@settings(max_examples=60, deadline=None)
@given(series_with_gaps(), st.data())
def test_truncating_or_slicing_leaves_the_same_bits(
    case: tuple[Floats, Floats, int, int], data: st.DataObject
) -> None:
    x, y, window, min_periods = case
    last = data.draw(st.integers(0, len(x)))
    first = data.draw(st.integers(0, last))
    begin = max(0, first - window + 1)
    whole = fitted(x, y, window, min_periods)
    part = fitted(x[begin:last], y[begin:last], window, min_periods)
    for one, other in zip(whole, part, strict=True):
        assert one[first:last].tobytes() == other[first - begin :].tobytes()


def test_a_gap_elsewhere_leaves_complete_windows_the_same_bits() -> None:
    x, y = noise(400, 1), noise(400, 2)
    broken = y.copy()
    broken[200] = np.nan
    for whole, other in zip(fitted(x, y, 20, 10), fitted(x, broken, 20, 10), strict=True):
        assert whole[:200].tobytes() == other[:200].tobytes()
        assert whole[220:].tobytes() == other[220:].tobytes()
        assert (whole[200:220] != other[200:220]).all()


@settings(max_examples=100, deadline=None)
@given(
    missing=st.sets(st.integers(0, 599), min_size=1, max_size=4),
    window=st.sampled_from([2, 3, 12, 20]),
)
@example(missing={0, 1, 598, 599}, window=20)
def test_windows_near_a_few_gaps_have_the_bits_of_the_whole_series(
    missing: set[int], window: int
) -> None:
    x, y = noise(600, 1), noise(600, 2)
    y[list(missing)] = np.nan
    found = fitted(x, y, window)
    assert_fits(found, expected(x, y, window, 2), x, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rolling, "GAP_SHARE", 0.0)
        whole = fitted(x, y, window)
    for one, other in zip(found, whole, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("outlier", [1e6, -1e12, 1e100, 1e200, np.inf, np.nan])
def test_an_outlier_leaves_no_trace_once_it_left_the_window(outlier: float) -> None:
    x, y = noise(300, 1), noise(300, 2)
    hit_x, hit_y = x.copy(), y.copy()
    hit_y[100], hit_x[200] = outlier, outlier
    for clean, hit in zip(fitted(x, y, 20, 15), fitted(hit_x, hit_y, 20, 15), strict=True):
        outside = np.r_[0:100, 120:200, 220:300]
        assert clean[outside].tobytes() == hit[outside].tobytes()


def test_a_huge_but_finite_outlier_is_fitted_like_any_value() -> None:
    x, y = noise(80, 1), noise(80, 2)
    y[40] = 1e9
    assert_fits(fitted(x, y, 20, 10), expected(x, y, 20, 10), x, y)


def test_squares_that_overflow_give_null_and_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    x, y = noise(60, 1), noise(60, 2)
    y[30] = 1e200
    slope, correlation = fitted(x, y, 10)
    assert np.isnan(correlation[30:40]).all()
    assert not np.isinf(slope).any()
    assert np.isfinite(correlation[40:]).all()
    assert not recwarn.list


def test_overflowing_squares_that_cancel_are_not_taken_for_a_fit() -> None:
    # Their sum is 0, so the sum of squares alone is infinite, and x y / inf would be 0.
    x, y = noise(60, 1), noise(60, 2)
    y[30:32] = 1.2e154, -1.2e154
    slope, correlation = fitted(x, y, 10)
    assert np.isnan(slope[31:40]).all()
    assert np.isnan(correlation[31:40]).all()
    assert np.isfinite(slope[41:]).all()


@pytest.mark.parametrize("offset", [1e2, 1e4, 1e6])
@pytest.mark.parametrize(("of_x", "of_y"), [(1, 0), (0, 1), (1, -1)])
def test_a_mean_far_above_the_deviation_costs_no_digits(
    offset: float, of_x: int, of_y: int
) -> None:
    # Steps of 1/1024 keep the shifted values exact, so the shift changes nothing but the formula.
    x = np.round(noise(200, 1) * 1024) / 1024
    y = np.round(noise(200, 2) * 1024) / 1024
    shifted = fitted(x + of_x * offset, y + of_y * offset, 20, 10)
    for plain, moved in zip(fitted(x, y, 20, 10), shifted, strict=True):
        np.testing.assert_allclose(moved, plain, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("growth", [0.0, 0.01, -1.0, 3.7, 1e-9])
@pytest.mark.parametrize("window", [2, 5, 20, 23])
def test_a_market_that_grows_evenly_explains_nothing(growth: float, window: int) -> None:
    # Equal returns that differ by the rounding of their prices.
    spx = 4000.0 * np.cumprod(np.full(200, 1.0 + growth / 100.0))
    x = 100.0 * (spx[1:] / spx[:-1] - 1.0)
    slope, correlation = fitted(x, noise(199), window)
    assert np.isnan(slope).all()
    assert np.isnan(correlation).all()


def test_a_contract_that_grows_evenly_has_a_slope_of_zero_and_no_correlation() -> None:
    price = 50.0 * 1.002 ** np.arange(200)
    slope, correlation = fitted(noise(199), 100.0 * (price[1:] / price[:-1] - 1.0), 20, 10)
    assert np.isnan(correlation).all()
    np.testing.assert_allclose(slope[9:], 0.0, atol=1e-12)


@pytest.mark.parametrize("growth", np.linspace(0.3, 97.0, 30))
def test_equal_changes_have_no_correlation_whichever_way_they_round(growth: float) -> None:
    # One usable window, whose raw moment is above, at or below 0 by the luck of the draw.
    price = 50.0 * np.cumprod(np.full(6, 1.0 + growth / 100.0))
    slope, correlation = fitted(noise(5), 100.0 * (price[1:] / price[:-1] - 1.0), 5, 5)
    assert np.isnan(correlation).all()
    assert slope[4] == pytest.approx(0.0, abs=1e-12)


def test_a_small_but_real_variance_is_not_taken_for_rounding() -> None:
    x = 0.01 + 1e-9 * noise(100, 1)
    slope, correlation = fitted(x, 3.0 * x, 20, 10)
    np.testing.assert_allclose(slope[9:], 3.0, rtol=1e-6)
    np.testing.assert_allclose(correlation[9:], 1.0, rtol=1e-9)


def test_null_until_there_are_enough_pairs() -> None:
    x, y = noise(30, 1), noise(30, 2)
    x[0] = np.nan
    y[5] = np.nan
    slope, correlation = fitted(x, y, 8, 4)
    # Rows 1 to 4 are the first four pairs.
    assert np.flatnonzero(np.isnan(slope)).tolist() == [0, 1, 2, 3]
    assert np.isnan(correlation).tolist() == np.isnan(slope).tolist()


def test_correlation_of_a_multiple_is_one_and_never_more() -> None:
    x = noise(5_000)
    for factor in (1.0, -1.0 / 3.0, 1e5):
        slope, correlation = fitted(x, factor * x, 3, 3)
        assert np.nanmax(np.abs(correlation)) <= 1.0
        np.testing.assert_allclose(correlation[2:], math.copysign(1.0, factor), rtol=1e-9)
        np.testing.assert_allclose(slope[2:], factor, rtol=1e-9)


def test_many_windows_are_repaired_in_bounded_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = noise(300, 1), noise(300, 2) + 1e5
    whole = fitted(x, y, 20, 10)
    monkeypatch.setattr(rolling, "REPAIR_CELLS", 100)
    pieces = fitted(x, y, 20, 10)
    for one, other in zip(whole, pieces, strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_series_of_gaps_takes_no_more_memory_than_a_few_series() -> None:
    x, gaps = noise(20_000), np.full(20_000, np.nan)
    regression = RollingRegression(x, 400, 200)
    tracemalloc.start()
    try:
        slope, correlation = regression.on(gaps)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.isnan(slope).all()
    assert np.isnan(correlation).all()
    assert peak < 50 * x.nbytes


def test_a_series_of_no_rows_has_no_fits() -> None:
    slope, correlation = fitted(np.empty(0), np.empty(0), 20, 10)
    assert len(slope) == len(correlation) == 0
