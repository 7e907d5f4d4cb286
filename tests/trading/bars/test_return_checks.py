from __future__ import annotations

from datetime import date
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation

from lake.market.validation import MAX_SPLIT_TOLERANCE_PCT, validate
from tests.markets import Market, random_market, session_timestamps
from trading.bars.quality.findings import CheckResult, Status
from trading.bars.quality.returns import MIN_RETURNS, SPLIT_RATIOS, robust_z_scores, run_lengths
from trading.errors import ParameterError
from trading.instruments.calendar import sessions

FEW_VALUES = st.lists(st.sampled_from([1.0, 2.0, 2.5, float("nan")]), max_size=40)


@settings(max_examples=100)
@given(FEW_VALUES)
def test_runs_are_those_of_groupby(values: list[float]) -> None:
    expected: list[int] = []
    for _, run in groupby(values, key=lambda v: v if v == v else object()):  # noqa: PLR0124 - a NaN is unequal to itself
        length = len(list(run))
        expected += [0] * (length - 1) + [length]
    assert run_lengths(np.array(values)).tolist() == expected


@settings(max_examples=100)
@given(st.lists(st.floats(-0.2, 0.2), min_size=3, max_size=60))
def test_robust_scores_are_scipys_mad(returns: list[float]) -> None:
    values = np.array([*returns, np.nan])
    mad = median_abs_deviation(returns, scale="normal")
    scores = robust_z_scores(values)
    assert np.isnan(scores[-1])
    if mad > 1e-12:
        expected = (np.array(returns) - np.median(returns)) / mad
        np.testing.assert_allclose(scores[:-1], expected, rtol=1e-9, atol=1e-12)
    elif len(set(returns)) == 1:
        assert (scores[:-1] == 0).all()


def test_where_most_returns_are_equal_the_mean_deviation_is_the_scale() -> None:
    scores = robust_z_scores(np.array([0.0] * 9 + [0.1]))
    assert scores[0] == 0
    # 0.1 over sqrt(pi / 2) times the mean deviation 0.01
    assert scores[-1] == pytest.approx(10 / 1.2533141373155)


def test_outliers_that_hide_each_other_from_the_deviation_do_not_hide_from_the_mad(
    tmp_path: Path,
) -> None:
    market = random_market(session_timestamps(10), contracts=1)
    rows = [20, 30, 40, 50, 60]
    for row in rows:
        market.prices[row:, 0] *= 1.3
    input_dir = market.write(tmp_path)
    assert _check(input_dir, "outliers", z_threshold=4.0).status is Status.PASS
    assert [f.row for f in _check(input_dir, "robust_outliers").findings] == rows
    assert _check(input_dir, "robust_outliers", robust_z_threshold=500.0).status is Status.PASS


def test_too_few_returns_are_insufficient_for_the_mad_as_well(tmp_path: Path) -> None:
    few = random_market(session_timestamps(3)[:MIN_RETURNS])
    assert _check(few.write(tmp_path), "robust_outliers").status is Status.INSUFFICIENT


@pytest.mark.parametrize(("length", "status"), [(7, Status.PASS), (8, Status.WARN)])
@pytest.mark.parametrize("field", ["prices", "vix", "spx"])
def test_a_run_of_equal_closes_is_stale_from_its_threshold_on(
    market: Market, tmp_path: Path, field: str, length: int, status: Status
) -> None:
    values = getattr(market, field)
    values[10 : 10 + length] = values[10]
    result = _check(market.write(tmp_path), "stale_prices")
    assert result.status is status
    assert {finding.row for finding in result.findings} <= {10 + length - 1}
    if status is Status.WARN:
        assert result.findings[0].detail == "it is the last of 8 equal closes in a row"
        assert _check(str(tmp_path), "stale_prices", stale_bars=9).status is Status.PASS


@pytest.mark.parametrize("split", SPLIT_RATIOS)
@pytest.mark.parametrize("reverse", [False, True])
def test_every_split_is_named_by_its_ratio(
    market: Market, tmp_path: Path, split: float, *, reverse: bool
) -> None:
    market.prices[8:, 1] *= split if reverse else 1 / split
    result = _check(market.write(tmp_path), "unadjusted_splits")
    assert [(f.source, f.row) for f in result.findings] == [("BRK-B", 8)]
    shares = f"1 for {split:g}" if reverse else f"{split:g} for 1"
    assert result.findings[0].detail.endswith(f"an unadjusted split {shares}")


@pytest.mark.parametrize("move", [-0.12, -0.07, 0.09])
@pytest.mark.parametrize("split", [2, 3, 4, 5, 10, 20])
def test_a_split_on_a_day_on_which_the_market_moves_is_found(
    market: Market, tmp_path: Path, move: float, split: int
) -> None:
    market.spx[8:] *= (1 + move) * market.spx[7] / market.spx[8]
    market.prices[8:, 0] *= (1 + move) / split * market.prices[7, 0] / market.prices[8, 0]
    market.prices[8:, 1] *= (1 + move) * split * market.prices[7, 1] / market.prices[8, 1]
    result = _check(market.write(tmp_path), "unadjusted_splits")
    assert {f.source: f.detail.rpartition("split ")[2] for f in result.findings} == {
        "AAPL": f"{split} for 1",
        "BRK-B": f"1 for {split}",
    }
    # On a quiet day the same price would have moved by itself, and further than the tolerance.
    market.spx[8:] /= 1 + move
    assert _check(market.write(tmp_path), "unadjusted_splits").status is Status.PASS


def test_a_daily_close_of_a_tenth_is_a_split_of_ten_for_one(tmp_path: Path) -> None:
    days = sessions(date(2024, 6, 3), date(2024, 6, 28)).dates.astype("datetime64[ns]")
    market = random_market(days, contracts=1)
    market.prices[:, 0] = 1208.88
    market.prices[5:, 0] = 121.79  # NVIDIA's on 7 and 10 June 2024
    result = _check(market.write(tmp_path), "unadjusted_splits")
    assert (result.status, result.count) == (Status.WARN, 1)
    assert result.findings[0].timestamp == "2024-06-10T00:00:00Z"
    assert "unadjusted split 10 for 1" in result.message


def test_a_jump_within_a_session_or_of_another_size_is_no_split(
    market: Market, tmp_path: Path
) -> None:
    market.prices[10:, 0] /= 2
    market.prices[8:, 1] /= 1.8
    assert _check(market.write(tmp_path), "unadjusted_splits").status is Status.PASS


def test_a_split_across_missing_bars_is_found_and_its_tolerance_is_a_parameter(
    market: Market, tmp_path: Path
) -> None:
    market.prices[8:, 0] = market.prices[7, 0] / 2 * 1.04
    market.prices[6:10, 1] = np.nan
    market.prices[10:, 1] = market.prices[5, 1] / 2
    input_dir = market.write(tmp_path)
    strict = _check(input_dir, "unadjusted_splits")
    assert [(f.source, f.row) for f in strict.findings] == [("BRK-B", 10)]
    loose = _check(input_dir, "unadjusted_splits", split_tolerance_pct=5.0)
    assert [f.source for f in loose.findings] == ["AAPL", "BRK-B"]


def test_no_jump_is_two_splits_at_once() -> None:
    tolerance = MAX_SPLIT_TOLERANCE_PCT / 100
    edges = [(split * (1 - tolerance), split * (1 + tolerance)) for split in SPLIT_RATIOS]
    assert all(low[1] < high[0] for low, high in pairwise(edges))


@pytest.mark.parametrize(
    "wrong",
    [
        {"robust_z_threshold": 0.0},
        {"robust_z_threshold": float("nan")},
        {"stale_bars": 1},
        {"split_tolerance_pct": 0.0},
        {"split_tolerance_pct": 7.0},
        {"split_tolerance_pct": float("nan")},
    ],
)
def test_an_unusable_threshold_is_refused_by_name(input_dir: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(wrong))}=.* is not "):
        validate(input_dir, **wrong)


def _check(input_dir: str, name: str, **thresholds: Any) -> CheckResult:
    report = validate(input_dir, **thresholds)
    return next(check for check in report.checks if check.check == name)
