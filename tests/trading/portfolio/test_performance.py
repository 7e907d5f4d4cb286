from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import asdict, replace
from datetime import date

import empyrical
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import oracles
from tests.oracles import NAN, Row
from tests.trading.portfolio.test_positions import at, history, table
from trading.bars.synthetic import contract_names, synthetic_market
from trading.errors import DataError, ParameterError
from trading.instruments.calendar import hourly_bars, sessions
from trading.instruments.clock import to_datetime
from trading.instruments.pace import Pace, pace
from trading.portfolio.performance import Portfolio, compounded, drawdowns, portfolio, sharpe
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.market_model.signals import analyze_panel
from trading.strategies.protocol import SIGNAL_NAMES

YEAR = 2004.0


def aggregated(rows: list[Row], cost_bps: float = 1.0) -> Portfolio:
    return portfolio(table(rows), pace=Pace(YEAR), cost_bps=cost_bps)


def close(value: float | None) -> object:
    """To 1e-9, with room for what cancels in returns near 1."""
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)


def assert_right(found: Portfolio, rows: list[Row], cost_bps: float) -> None:
    """Every number agrees with the plain loop, risk figures with empyrical."""
    plain = oracles.plain_portfolio(rows, cost_bps)
    summary, series = found.summary, found.timeseries
    np.testing.assert_allclose(series["return_pct"], 100 * np.array(plain.returns), atol=1e-11)
    np.testing.assert_allclose(series["equity"], plain.equity, rtol=1e-9)
    total = plain.total
    assert summary.total_pnl_pct == close(100 * (plain.equity[-1] - 1))
    assert summary.max_drawdown_pct == close(100 * plain.worst_drawdown)
    assert summary.average_beta == close(plain.average_beta)
    assert summary.win_rate == close(total.good / total.trades if total.trades else None)
    counted = (summary.trades, summary.good_trades, summary.bad_trades, summary.neutral_trades)
    assert counted == (total.trades, total.good, total.bad, total.neutral)
    assert summary.buys == sum(row.signal == "buy" for row in rows)
    assert summary.sells == sum(row.signal == "sell" for row in rows)
    assert summary.exposure == close(total.trades / len(plain.returns) / len(plain.by_contract))
    assert (summary.bars, summary.contracts) == (len(plain.returns), len(plain.by_contract))
    for row in found.contracts.to_pylist():
        tally = plain.by_contract[row["contract"]]
        assert row["pnl_pct"] == close(100 * (tally.equity - 1))
        assert row["win_rate"] == close(tally.good / tally.trades if tally.trades else None)
        assert (row["trades"], row["good_trades"]) == (tally.trades, tally.good)
        assert (row["bad_trades"], row["neutral_trades"]) == (tally.bad, tally.neutral)
    assert_risk_agrees_with_empyrical(found, np.array(plain.returns))


def assert_risk_agrees_with_empyrical(found: Portfolio, returns: np.ndarray) -> None:
    if len(returns) > 1 and np.ptp(returns) > 1e-12:
        assert found.summary.sharpe == close(empyrical.sharpe_ratio(returns, annualization=YEAR))
        drawdown = 100 * empyrical.max_drawdown(returns)
        assert found.summary.max_drawdown_pct == pytest.approx(drawdown, rel=1e-9, abs=1e-11)
    else:
        assert found.summary.sharpe is None


def sample_rows(last: date, contracts: int) -> list[Row]:
    """The analysis of a synthetic market as plain rows."""
    stamps = hourly_bars(sessions(date(2024, 1, 2), last))
    market = synthetic_market(contract_names(contracts), stamps, 0)
    panel = analyze_panel(stamps, market.prices, market.vix, market.spx, StrategyParameters())
    times = [to_datetime(stamp) for stamp in stamps]
    return [
        Row(times[i], name, float(found.price[i]), SIGNAL_NAMES[int(code)], float(found.beta[i]))
        for name, found in zip(market.contracts, panel, strict=True)
        for i, code in enumerate(found.signal)
    ]


@pytest.mark.parametrize("cost_bps", [0.0, 1.0, 30.0])
def test_the_sample_agrees_with_the_plain_loop(cost_bps: float) -> None:
    rows = sample_rows(date(2024, 1, 4), 10)
    assert len(rows) == 240
    found = aggregated(rows, cost_bps)
    assert_right(found, rows, cost_bps)
    assert found.summary.trades > 40


def test_a_year_of_the_synthetic_market_agrees_with_the_plain_loop() -> None:
    rows = sample_rows(date(2024, 12, 31), 3)
    assert_right(aggregated(rows), rows, 1.0)


@st.composite
def result_rows(draw: st.DrawFn) -> list[Row]:
    """Contracts with different bars, missing prices and any signals, shuffled."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    gaps = draw(st.sampled_from([0.0, 0.2]))
    rows = []
    for name in "ABCDE"[: draw(st.integers(1, 5))]:
        for hour in np.flatnonzero(rng.random(draw(st.integers(1, 25))) < 0.9).tolist() or [0]:
            price = NAN if rng.random() < gaps else round(100 * math.exp(rng.normal(0, 0.02)), 1)
            beta = NAN if rng.random() < gaps else rng.normal()
            signal = str(rng.choice(["buy", "sell", "hold"]))
            rows.append(Row(at(hour), name, price, signal, beta))
    return [rows[i] for i in rng.permutation(len(rows))]


@settings(max_examples=60, deadline=None)
@given(rows=result_rows(), cost_bps=st.sampled_from([0.0, 1.0, 250.0]))
def test_any_rows_agree_with_the_plain_loop(rows: list[Row], cost_bps: float) -> None:
    assert_right(aggregated(rows, cost_bps), rows, cost_bps)


def test_two_contracts_by_hand() -> None:
    rows = history("A", [100, 110, 99], "bs.") + history("B", [50, 50, 60], ".bb")
    found = aggregated(rows, cost_bps=100.0)
    # Bar 0: A +10 % - 1 %. Bar 1: A +10 % - 1 %, B +20 % - 1 %. Bar 2: B -1 %. Halved each.
    returns = [4.5, 14.0, -0.5]
    np.testing.assert_allclose(found.timeseries["return_pct"], returns)
    np.testing.assert_allclose(found.timeseries["equity"], [1.045, 1.1913, 1.1853435])
    np.testing.assert_allclose(found.timeseries["drawdown_pct"], [0, 0, -0.5], atol=1e-12)
    assert found.summary.total_pnl_pct == pytest.approx(18.53435)
    assert found.summary.max_drawdown_pct == pytest.approx(-0.5)
    assert found.summary.win_rate == 0.75
    assert found.summary.exposure == pytest.approx(4 / 6)
    assert found.summary.average_beta is None
    assert found.timeseries["buys"].to_pylist() == [1, 1, 1]
    assert found.timeseries["sells"].to_pylist() == [0, 1, 0]
    assert found.contracts.to_pylist() == [
        {
            "contract": name, "bars": 3, "trades": 2, "buys": buys, "sells": sells,
            "good_trades": good, "bad_trades": 0, "neutral_trades": 2 - good,
            "win_rate": good / 2, "pnl_pct": pytest.approx(pnl), "average_beta": None,
            "exposure": pytest.approx(2 / 3),
        }
        for name, buys, sells, good, pnl in (("A", 1, 1, 2, 18.81), ("B", 2, 0, 1, 17.81))
    ]  # fmt: skip


def turnover_by_hand(rows: list[Row]) -> float:
    """Weight by weight: a contract without a price keeps the weight that it had."""
    times = sorted({row.timestamp for row in rows})
    contracts = sorted({row.contract for row in rows})
    traded = 0.0
    for contract in contracts:
        at_time = {row.timestamp: row for row in rows if row.contract == contract}
        tradable = [t for t, row in at_time.items() if oracles.usable(row.price)]
        weight = 0
        for time in times:
            wanted = {"buy": 1, "sell": -1}.get(at_time[time].signal, 0) if time in tradable else (
                weight if any(later > time for later in tradable) else 0
            )  # fmt: skip
            traded += abs(wanted - weight)
            weight = wanted
    return traded / (2 * len(times) * len(contracts))


@settings(max_examples=60, deadline=None)
@given(rows=result_rows())
def test_turnover_is_what_weights_changed_by(rows: list[Row]) -> None:
    # No signal comes of a bar without a price.
    rows = [r if oracles.usable(r.price) else dataclasses.replace(r, signal="hold") for r in rows]
    assert aggregated(rows).summary.turnover == close(turnover_by_hand(rows))


def test_a_position_held_through_a_halt_is_not_traded_in_it() -> None:
    rows = history("A", [100, NAN, 120, 120], "b.b.") + history("B", [1, 1, 1, 1], "....")
    # Bought once, sold once; over four bars and two contracts.
    assert aggregated(rows).summary.turnover == pytest.approx(2 / (2 * 4 * 2))


def test_flat_and_absent_contracts_count_in_the_mean() -> None:
    alone = aggregated(history("A", [100, 110], "b."), 0.0)
    beside = aggregated(
        history("A", [100, 110], "b.") + history("B", [1, 2], "..") + [Row(at(9), "C", 5, "hold")],
        0.0,
    )
    assert alone.timeseries["return_pct"][0].as_py() == pytest.approx(10.0)
    assert beside.timeseries["return_pct"][0].as_py() == pytest.approx(10.0 / 3)
    assert beside.summary.bars == 3
    assert beside.contracts["bars"].to_pylist() == [2, 2, 1]


def test_no_trades_make_no_win_rate_and_no_sharpe() -> None:
    summary = aggregated(history("A", [100, 110, 99], "...")).summary
    assert (summary.win_rate, summary.sharpe) == (None, None)
    assert (summary.total_pnl_pct, summary.max_drawdown_pct, summary.exposure) == (0, 0, 0)


def test_one_bar_has_no_sharpe() -> None:
    summary = aggregated([Row(at(0), "A", 100.0, "buy")]).summary
    assert summary.sharpe is None
    assert summary.neutral_trades == summary.trades == 1
    assert summary.total_pnl_pct == pytest.approx(-0.01)
    assert summary.first_timestamp == summary.last_timestamp == "2024-01-02T09:30:00-05:00"


def test_a_loss_of_everything_ends_the_equity_at_zero() -> None:
    summary = aggregated(history("A", [1, 3, 1.5, 1.5], "ss..")).summary
    assert summary.total_pnl_pct == -100.0
    assert summary.max_drawdown_pct == -100.0


def test_the_summary_survives_json() -> None:
    summary = asdict(aggregated(sample_rows(date(2024, 1, 4), 2)).summary)
    assert json.loads(json.dumps(summary)) == summary


def test_equal_returns_have_no_sharpe() -> None:
    # The mean of thirteen 0.1 differs from it in the last bit, so their deviation is not 0.
    assert sharpe(np.full(13, 0.1), YEAR) is None
    assert sharpe(np.zeros(10), YEAR) is None
    assert sharpe(np.array([0.1]), YEAR) is None
    assert sharpe(np.empty(0), YEAR) is None
    assert sharpe(np.array([0.1, 0.1 + 1e-9]), YEAR) is not None


@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=60))
def test_risk_figures_agree_with_empyrical(values: list[float]) -> None:
    returns = np.array(values)
    equity = compounded(returns)
    np.testing.assert_allclose(equity, empyrical.cum_returns(returns, 1.0), rtol=1e-9)
    assert drawdowns(equity).min() == pytest.approx(empyrical.max_drawdown(returns), abs=1e-9)
    if np.ptp(returns) > 1e-9:
        right = empyrical.sharpe_ratio(returns, annualization=YEAR)
        assert sharpe(returns, YEAR) == pytest.approx(right, rel=1e-9, abs=1e-9)


def test_sharpe_of_real_daily_returns_agrees_with_empyrical() -> None:
    market = oracles.real_daily_market(["AAPL"])
    price = np.array(market.stocks["AAPL"])
    year = pace(np.array(market.dates, "datetime64[ns]")).bars_per_year
    assert year is not None
    assert year == pytest.approx(252, abs=1)
    returns = price[1:] / price[:-1] - 1
    right = empyrical.sharpe_ratio(returns, annualization=year)
    assert sharpe(returns, year) == pytest.approx(right, rel=1e-9)
    assert 0.3 < right < 2


def test_the_order_of_rows_does_not_change_a_bit() -> None:
    rows = sample_rows(date(2024, 1, 4), 5)
    right = aggregated(rows)
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    found = aggregated(shuffled)
    assert found.summary == right.summary
    assert found.timeseries.equals(right.timeseries)
    assert found.contracts.equals(right.contracts)


def test_changing_a_price_changes_only_the_bars_that_hold_it() -> None:
    rows = sample_rows(date(2024, 1, 4), 2)
    before = np.array(aggregated(rows).timeseries["return_pct"])
    rows[10] = replace(rows[10], price=rows[10].price * 1.01)
    after = np.array(aggregated(rows).timeseries["return_pct"])
    assert set(np.flatnonzero(before != after)) <= {9, 10}


def test_types_are_those_of_the_results() -> None:
    found = aggregated(history("A", [1, 2], "b."))
    assert found.timeseries.schema.field("timestamp").type == pa.timestamp("us", "America/New_York")
    assert found.contracts.schema.field("contract").type == pa.string()
    assert found.contracts["average_beta"].null_count == 1


@pytest.mark.parametrize(
    ("year", "cost", "message"),
    [
        (0.0, 1.0, "bars_per_year=0.0 is not above 0"),
        (math.nan, 1.0, "bars_per_year=nan is not above 0"),
        (252.0, -1.0, "cost_bps=-1.0 is not 0 or more"),
        (252.0, math.inf, "cost_bps=inf is not 0 or more"),
    ],
)
def test_parameters_out_of_range_are_refused(year: float, cost: float, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        portfolio(table(history("A", [1, 2], "b.")), pace=Pace(year), cost_bps=cost)


def test_no_rows_are_refused() -> None:
    with pytest.raises(DataError, match="there are no rows"):
        aggregated([])


def test_data_of_no_known_calendar_have_no_sharpe_and_say_why() -> None:
    rows = table(history("A", [100, 110, 99, 120], "bs.."))
    found = portfolio(rows, pace=Pace(None, "bars on weekends"), cost_bps=1.0)
    summary = found.summary
    assert (summary.sharpe, summary.bars_per_year) == (None, None)
    assert summary.not_annualised == "bars on weekends"
    assert (
        summary.total_pnl_pct
        == aggregated(history("A", [100, 110, 99, 120], "bs..")).summary.total_pnl_pct
    )
