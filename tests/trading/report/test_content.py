"""The numbers of the report, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.dataset import PartitionStatus, SymbolStatus
from lake.grain import Grain
from lake.keys import partitions
from lake.market.report import known_status
from tests.markets import random_market, session_timestamps
from tests.oracles import NAN
from tests.trading.portfolio.test_positions import history
from tests.trading.report.conftest import report_of
from trading.report.content import DONE, MISSING, STALE, histogram


def test_cells_hold_the_signals_and_the_returns_to_the_next_bar() -> None:
    found = report_of(history("A", [100, 110, 99, 99], "bs..") + history("B", [50, 60], "b."))
    np.testing.assert_array_equal(found.signals, [[1, -1, 0, 0], [1, 0, NAN, NAN]])
    np.testing.assert_allclose(found.returns, [[10, -10, 0, NAN], [20, NAN, NAN, NAN]])
    np.testing.assert_array_equal(found.status, [[DONE] * 4, [DONE, DONE, MISSING, MISSING]])


def test_cells_of_many_bars_hold_shares_and_compounded_returns() -> None:
    prices = list(100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 480))))
    signals = "bs.b" * 120
    found = report_of(history("A", prices, signals))
    assert found.signals.shape == (1, 240)
    np.testing.assert_allclose(found.signals[0, ::2], 0.0)
    np.testing.assert_allclose(found.signals[0, 1::2], 0.5)
    wanted = [100 * (prices[min(i + 2, 479)] / prices[i] - 1) for i in range(0, 480, 2)]
    np.testing.assert_allclose(found.returns[0], wanted, rtol=1e-9)


def test_regimes_count_signals_by_the_vix_of_their_bar() -> None:
    vix = np.array([14.9, 15.0, 29.0, NAN, 31.0])
    found = report_of(history("A", [100, 110, 99, 99, 100], "bs.bb"), vix)
    calm, normal, high, stressed = found.regimes
    assert (calm.bars, calm.buys, calm.sells, calm.win_rate) == (1, 1, 0, 1.0)
    assert calm.mean_return_pct == pytest.approx(10 - 0.01)
    assert (normal.sells, normal.win_rate) == (1, 1.0)
    assert (high.name, high.buys, high.win_rate, high.mean_return_pct) == ("high", 0, None, None)
    assert (stressed.buys, stressed.win_rate, stressed.mean_return_pct) == (1, 0.0, None)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=80))
def test_the_histogram_counts_every_value_once_and_divides_at_zero(values: list[float]) -> None:
    edges, counts = histogram(np.array(values))
    assert counts.sum() == len(values)
    assert np.abs(edges).min() == 0.0
    np.testing.assert_allclose(np.diff(edges), edges[1] - edges[0], rtol=1e-6)


def test_a_look_at_the_input_tells_the_status_of_each_bar() -> None:
    market = random_market(session_timestamps(2), contracts=1)
    made = report_of(history("AAPL", [100.0] * 8, "." * 8)).aggregation.portfolio.trades
    parts = tuple(partitions(market.timestamps, "AAPL", Grain.SESSION))
    states = (PartitionStatus.STALE, PartitionStatus.FAILED)
    known = known_status(
        [SymbolStatus("AAPL", parts, states)], market.timestamps, made, "the input"
    )
    # The portfolio's eight bars are hours from 9:30 on; the market's last bar starts at 16:00.
    on_the_hour = [STALE] * 7 + [NAN]
    np.testing.assert_array_equal(known.codes["AAPL"], on_the_hour)
    shown = report_of(history("AAPL", [100.0] * 8, "." * 8), status=known)
    np.testing.assert_array_equal(shown.status, [on_the_hour])
    assert shown.status_basis == "the input"
