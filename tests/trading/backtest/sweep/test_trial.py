"""What a trial trades: whole history seen, a window traded, raw prices filled."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from tests.own_strategies import Momentum, Periods
from trading.backtest.assumptions import Assumptions
from trading.backtest.result import Result
from trading.backtest.sweep.trial import Series, SymbolHistory, Window, all_signals, traded
from trading.bars.adjustment import adjusted
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.bars.synthetic_minutes import synthetic_days
from trading.errors import DataError
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.calendar import sessions
from trading.instruments.clock import local_times
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.protocol import Signals

FREE = Assumptions(fees_bps=Decimal(0), slippage_bps=Decimal(0), participation=None)
SPLIT = CorporateAction(symbol="AAPL", kind=ActionKind.SPLIT, ex_date=date(2023, 6, 15), value=4.0)


def days(last: date = date(2023, 12, 29)) -> Bars:
    return synthetic_days("AAPL", date(2023, 1, 3), last)


def split_bars(bars: Bars) -> Bars:
    """The bars as they were traded, when each old share is four from the ex-date on."""
    before = local_times(bars.timestamps).astype("datetime64[D]") < np.datetime64(SPLIT.ex_date)
    ratio = np.where(before, SPLIT.value, 1.0)
    columns = {name: getattr(bars, name) * ratio for name in ("open", "high", "low", "close")}
    return Bars(
        symbol=bars.symbol, timestamps=bars.timestamps, volume=bars.volume / ratio,
        vwap=bars.vwap, trades=bars.trades, **columns,
    )  # fmt: skip


def history(bars: Bars, *actions: CorporateAction) -> SymbolHistory:
    return SymbolHistory(
        seen=adjusted(bars, actions),
        traded=bars,
        actions=actions,
        moments=bars.timestamps,
        series={},
        increment=Decimal("0.000001"),
    )


def trade(
    own: SymbolHistory, first: date | None = None, last: date | None = None,
    said: Signals | None = None,
) -> Result:  # fmt: skip
    window = Window.of([own], [own.rows(first, last)], Interval.DAY)
    parameters = Periods()
    signals = [said] if said else all_signals([own], Momentum(), parameters, Interval.DAY)
    return traded(window, signals, FREE, strategy=Momentum(), parameters=parameters)


def test_a_split_changes_neither_the_signals_nor_what_they_earn() -> None:
    plain, divided = trade(history(days())), trade(history(split_bars(days()), SPLIT))
    assert len(plain.fills) > 10
    assert [fill.timestamp for fill in divided.fills] == [fill.timestamp for fill in plain.fills]
    assert np.allclose(divided.equity, plain.equity, rtol=1e-6)
    # It fills at the prices of the day, in shares of the day.
    assert divided.fills[0].price == pytest.approx(4 * plain.fills[0].price, rel=1e-9)
    assert not np.allclose(trade(history(split_bars(days()))).equity, plain.equity, rtol=0.01)


def test_a_window_begins_flat_and_its_strategy_has_seen_all_before() -> None:
    own, first, last = history(days()), date(2023, 3, 1), date(2023, 9, 29)
    result = trade(own, first, last)
    dates = local_times(result.timestamps).astype("datetime64[D]")
    assert dates.tolist() == sessions(first, last).dates.tolist()
    # Buying before the window only, it buys nothing in it.
    earlier = np.zeros(len(own.seen), np.int8)
    earlier[5] = 1
    assert trade(own, first, last, Signals(earlier)).fills == []
    # The first signal is there at once: no warm-up within the window.
    assert local_times(result.timestamps).astype("datetime64[D]")[0] == np.datetime64(first)
    said = all_signals([own], Momentum(), Periods(), Interval.DAY)[0].signal[own.rows(first, last)]
    assert said[0] != 0


def test_bars_after_the_window_have_no_part_in_it() -> None:
    last = date(2023, 9, 29)
    whole, cut = trade(history(days()), last=last), trade(history(days(last)))
    assert whole.table().equals(cut.table())


def test_a_window_without_bars_is_refused() -> None:
    with pytest.raises(DataError, match="bars of AAPL: there is none in that time"):
        trade(history(days()), date(2030, 1, 1))


def test_a_series_counts_as_long_as_the_parameters_allow() -> None:
    bars = days()[:4]
    old = bars.timestamps - np.timedelta64(30, "h")
    own = SymbolHistory(
        seen=bars, traded=bars, actions=(), moments=bars.timestamps,
        series={"VIX": Series(old[:1], np.array([20.0]))},
    )  # fmt: skip
    near, far = (
        own.context(StrategyParameters(vix_tolerance_hours=hours))["VIX"] for hours in (29.0, 30.0)
    )
    assert np.isnan(near).all()
    assert far[0] == 20.0
    assert np.isnan(far[1:]).all()
