from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.trading.backtest.markets import HOUR, Listed, clock_of, market_of
from tests.trading.backtest.runs import FLAT, filled, flat, ordered, ran, states
from trading.backtest.engine import run
from trading.backtest.market import Clock
from trading.backtest.result import Result
from trading.backtest.source import Cancel, CancelAll, Request
from trading.backtest.terms import Terms
from trading.bars.intervals import Interval
from trading.errors import DataError, ParameterError
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.calendar import sessions
from trading.orders.fills import Costs
from trading.orders.model import OrderType, Side, TimeInForce
from trading.orders.states import OrderState
from trading.risk.guards import CoolDown
from trading.risk.limits import RiskLimits, TradingState
from trading.units import to_dollars


def bought_and_sold() -> Result:
    """10 shares bought at 100 and sold at 110, for a dollar each time."""
    rows = [flat(100), flat(100), flat(105), flat(110), flat(110)]
    sell = ordered(client_order_id="s", side=Side.SELL)
    costs = Costs.of(fee_per_share=Decimal("0.1"))
    return ran(rows, {0: [ordered()], 2: [sell]}, costs=costs)


def test_costs_are_charged_once_a_fill() -> None:
    result = bought_and_sold()
    assert filled(result) == [(1, "o", 10, 100), (3, "s", -10, 110)]
    assert result.fees == 2
    assert result.final_equity == 10_098
    assert result.equity.tolist() == [10_000, 9_999, 10_049, 10_098, 10_098]
    assert result.invested.tolist() == [False, True, True, False, False]
    assert result.table().column("fee").to_pylist() == [0, 1, 1]


def test_an_order_never_fills_in_the_bar_it_was_made_of_nor_on_a_missing_one() -> None:
    result = ran([FLAT, None, None, flat(101)], {0: [ordered()]})
    assert filled(result) == [(3, "o", 10, 101)]


def test_an_order_without_a_price_to_judge_it_by_is_denied() -> None:
    result = ran([FLAT, None, FLAT], {1: [ordered()]})
    assert not result.fills
    assert result.denials() == {"NO_PRICE": 1}


def test_day_orders_end_with_their_session_and_others_do_not() -> None:
    limit: dict[str, Any] = {"type": OrderType.LIMIT, "price": Decimal(99)}
    day = ordered(**limit)
    kept = ordered(client_order_id="g", time_in_force=TimeInForce.GTC, **limit)
    rows = [FLAT, FLAT, flat(98), flat(98)]
    result = ran(rows, {0: [day, kept]}, per_session=2)
    assert states(result) == {"o": OrderState.EXPIRED, "g": OrderState.FILLED}
    # Its end is known at the close, not only at the next open.
    assert states(ran(rows[:2], {0: [day]}, per_session=2)) == {"o": OrderState.EXPIRED}
    # Made at a session's close, an order is for the next session.
    assert filled(ran(rows, {1: [day]}, per_session=2)) == [(2, "o", 10, 98)]


def test_a_day_order_for_a_halted_session_is_not_filled_in_a_later_one() -> None:
    rows = [FLAT, None, FLAT]
    assert states(ran(rows, {0: [ordered()]}, per_session=1)) == {"o": OrderState.EXPIRED}


def test_a_day_order_is_for_the_next_session_even_if_no_symbol_has_a_bar_in_it() -> None:
    within = sessions(date(2024, 1, 2), date(2024, 1, 5))
    stamps = within.opens[[0, 2]]  # nothing at all traded in the session between
    clock = Clock.of(stamps, Interval.DAY, within)
    market = market_of({"AAPL": [FLAT, FLAT]}, clock)
    made = Terms(capital=Decimal(10_000), costs=Costs.of())
    result = run(market, Listed({0: [ordered()]}), made)
    assert states(result) == {"o": OrderState.EXPIRED}


def test_orders_of_one_bar_count_for_each_others_limits() -> None:
    limits = RiskLimits(max_gross=Decimal("1.5"))
    asks: list[Request] = [ordered(90), ordered(90, client_order_id="b")]
    assert ran([FLAT, FLAT], {0: asks}, limits=limits).denials() == {"MAX_GROSS": 1}
    between: list[Request] = [asks[0], CancelAll("AAPL"), asks[1]]
    assert ran([FLAT, FLAT], {0: between}, limits=limits).denials() == {}


def test_the_clock_knows_early_closes_and_both_days_of_daylight_saving() -> None:
    within = sessions(date(2024, 11, 27), date(2024, 12, 3))  # Thanksgiving, early close on Friday
    opens = within.opens[[0, 1, 2]]
    stamps = np.sort(np.concatenate([opens, opens + np.timedelta64(3, "h")]))
    clock = Clock.of(stamps, Interval.HOUR, within)
    assert clock.sessions.tolist() == [0, 0, 1, 1, 2, 2]
    ends = clock.ends.view("datetime64[ns]").astype("datetime64[m]").astype(str).tolist()
    assert ends[3] == "2024-11-29T18:00"  # 13:00 in New York, half an hour after 12:30
    until = clock.good_until.view("datetime64[ns]")
    assert until[3] == within.closes[2]  # made at the early close: for Monday
    assert until[1] == within.closes[0]
    for day, hour in ((date(2024, 3, 11), 20), (date(2024, 11, 4), 21)):
        one = sessions(day, day)
        daily = Clock.of(one.opens, Interval.DAY, one)
        assert daily.ends.view("datetime64[h]".replace("h", "ns")).astype("datetime64[h]")[0] == (
            np.datetime64(day, "h") + np.timedelta64(hour, "h")
        )
    with pytest.raises(DataError, match="ends after the last session"):
        Clock.of(within.opens, Interval.DAYS_3, within)


def test_no_exit_before_its_entry_has_filled() -> None:
    entry = ordered(type=OrderType.LIMIT, price=Decimal(95), time_in_force=TimeInForce.GTC,
                    stop_loss=Decimal(90), take_profit=Decimal(99))  # fmt: skip
    result = ran([FLAT, (100, 101, 96, 100, 1e6), flat(98)], {0: [entry]})
    assert not result.fills


def test_the_stop_comes_first_within_one_bar() -> None:
    entry = ordered(stop_loss=Decimal(95), take_profit=Decimal(105))
    wide = (100.0, 106.0, 94.0, 100.0, 1e6)
    result = ran([FLAT, FLAT, wide], {0: [entry]})
    assert filled(result) == [(1, "o", 10, 100), (2, "o:stop_loss", -10, 95)]
    assert states(result)["o:take_profit"] is OrderState.CANCELED
    # In the bar of the entry as well; and a target only where the entry was at the open.
    assert filled(ran([FLAT, wide], {0: [entry]}))[1:] == [(1, "o:stop_loss", -10, 95)]
    narrow = (100.0, 106.0, 96.0, 100.0, 1e6)
    assert filled(ran([FLAT, narrow], {0: [entry]}))[1:] == [(1, "o:take_profit", -10, 105)]
    limit = ordered(type=OrderType.LIMIT, price=Decimal(99), stop_loss=Decimal(90),
                    take_profit=Decimal(105))  # fmt: skip
    assert len(filled(ran([FLAT, narrow], {0: [limit]}))) == 1


def test_a_stop_that_gaps_fills_at_the_open_not_at_its_price() -> None:
    entry = ordered(stop_loss=Decimal(95))
    result = ran([FLAT, FLAT, (90, 92, 88, 91, 1e6)], {0: [entry]})
    assert filled(result)[1] == (2, "o:stop_loss", -10, 90)


def test_after_a_partial_exit_a_new_stop_is_for_what_remains() -> None:
    sell: dict[str, Any] = {
        "side": Side.SELL,
        "reduce_only": True,
        "time_in_force": TimeInForce.GTC,
    }
    part = ordered(client_order_id="p", quantity=Decimal(10), type=OrderType.LIMIT,
                   price=Decimal(102), **sell)  # fmt: skip
    stop = ordered(client_order_id="n", type=OrderType.STOP, price=Decimal(95), **sell)
    rows = [FLAT, FLAT, (101, 103, 101, 102, 160), flat(100), (96, 96, 90, 91, 1e6)]
    costs = Costs.of(participation=Decimal("0.025"))
    result = ran(
        rows, {0: [ordered()], 1: [part], 2: [Cancel("AAPL", "p")], 3: [stop]}, costs=costs
    )
    assert filled(result) == [(1, "o", 10, 100), (2, "p", -4, 102), (4, "n", -6, 95)]


def test_a_touched_stop_that_the_volume_holds_up_goes_on_as_a_market_order() -> None:
    entry = ordered(stop_loss=Decimal(95), take_profit=Decimal(105))
    rows = [FLAT, FLAT, (96, 96, 94, 96, 4), (100, 106, 100, 100, 1e6)]
    result = ran(rows, {0: [entry]}, costs=Costs.of(participation=Decimal(1)))
    assert filled(result)[1:] == [(2, "o:stop_loss", -4, 95), (3, "o:stop_loss", -6, 100)]


def test_the_participation_is_shared_by_all_orders_of_a_symbol() -> None:
    rows = [FLAT, flat(100, 600), flat(101, 600), flat(102, 600)]
    orders: list[Request] = [ordered(), ordered(client_order_id="b")]
    result = ran(rows, {0: orders}, costs=Costs.of(participation=Decimal("0.025")))
    assert filled(result) == [(1, "o", 10, 100), (1, "b", 5, 100), (2, "b", 5, 101)]


def test_a_bar_of_unknown_volume_fills_nothing_while_participation_is_bounded() -> None:
    rows = [FLAT, flat(100, np.nan), flat(101)]
    result = ran(rows, {0: [ordered()]}, costs=Costs.of(participation=Decimal("0.025")))
    assert filled(result) == [(2, "o", 10, 101)]


def test_fractions_of_a_share_where_the_increment_allows_them_and_only_there() -> None:
    half = ordered(quantity=Decimal("0.5"))
    assert filled(ran([FLAT, FLAT], {0: [half]}, increment="0.001"))[0][2] == 0.5
    with pytest.raises(ParameterError, match="a multiple of 1"):
        ran([FLAT, FLAT], {0: [half]})


def test_orders_and_position_follow_a_split() -> None:
    day = clock_of(4, 1).dates
    split = CorporateAction(symbol="AAPL", kind=ActionKind.SPLIT, ex_date=day[2].item(), value=1.5)
    dividend = CorporateAction(
        symbol="AAPL", kind=ActionKind.DIVIDEND, ex_date=day[3].item(), value=0.5
    )
    entry = ordered(7, stop_loss=Decimal(90))
    rows = [FLAT, flat(99), flat(66), (66, 66, 59, 59, 1e6)]
    result = ran(rows, {0: [entry]}, per_session=1, actions=[dividend, split])
    # 10.5 shares: 10 and cash for the half; the stop at 90 is at 60 and does not fire at 66.
    assert filled(result)[1] == (3, "o:stop_loss", -10, 60)
    cash = [event for event in result.ledger if event.kind == "cash_in_lieu"]
    assert [to_dollars(event.quantity * event.price) for event in cash] == [Decimal(33)]
    assert result.equity.tolist() == [10_000, 10_000, 10_000, 9_945]  # 5 dollars of dividend


def test_a_dividend_of_a_splits_day_is_per_new_share() -> None:
    kinds = {ActionKind.DIVIDEND: 0.5, ActionKind.SPLIT: 2.0}
    actions = [
        CorporateAction(symbol="AAPL", kind=kind, value=value, ex_date=date(2024, 1, 4))
        for kind, value in kinds.items()
    ]
    rows = [FLAT, flat(100), flat(50)]
    result = ran(rows, {0: [ordered(7)]}, per_session=1, actions=actions)
    assert result.equity.tolist() == [10_000, 10_000, 10_007]


def test_a_deposit_is_neither_a_gain_nor_a_drawdown() -> None:
    rows = [flat(100), flat(100), flat(90), flat(90), flat(90)]
    limits = RiskLimits(max_drawdown=Decimal("0.11"))
    out = [(3, Decimal(-5_000)), (4, Decimal(3_000))]
    result = ran(rows, {0: [ordered(100)]}, deposits=out, limits=limits)
    assert result.returns.round(12).tolist() == [0, 0, -0.1, 0, 0]
    assert result.risk.state is TradingState.ACTIVE
    assert result.deposits.tolist() == [10_000, 0, 0, -5_000, 3_000]


def test_a_drawdown_at_its_limit_halts_for_good_and_closes() -> None:
    rows = [flat(100), flat(100), flat(90), flat(85), flat(120), flat(120)]
    requests: dict[int, list[Request]] = {0: [ordered(100)], 4: [ordered(client_order_id="again")]}
    result = ran(rows, requests, limits=RiskLimits(max_drawdown=Decimal("0.1")))
    assert [fill[0] for fill in filled(result)] == [1, 3]
    assert filled(result)[1][2:] == (-100, 85)
    assert result.risk.state is TradingState.HALTED
    assert result.denials() == {"TRADING_HALTED": 1}


def test_a_days_loss_lets_only_reductions_pass_until_the_next_session() -> None:
    rows = [flat(100), flat(100), flat(95), flat(95), flat(95), flat(95)]
    buy, sell = ordered(client_order_id="b"), ordered(client_order_id="s", side=Side.SELL)
    later = ordered(client_order_id="l")
    requests: dict[int, list[Request]] = {0: [ordered(50)], 2: [buy, sell], 4: [later]}
    limits = RiskLimits(max_daily_loss=Decimal("0.025"))
    result = ran(rows, requests, limits=limits, per_session=4)
    assert states(result) == {
        "o": OrderState.FILLED, "b": OrderState.DENIED, "s": OrderState.FILLED,
        "l": OrderState.FILLED,
    }  # fmt: skip
    assert result.denials() == {"REDUCING_WOULD_INCREASE": 1}


def test_a_days_loss_counts_from_the_last_sessions_close() -> None:
    rows = [flat(price) for price in (100, 100, 110, 108, 106, 104.5, 104.5)]
    requests: dict[int, list[Request]] = {0: [ordered(100)], 5: [ordered(client_order_id="b")]}
    limits = RiskLimits(max_daily_loss=Decimal("0.03"))
    result = ran(rows, requests, limits=limits, per_session=4)
    assert result.denials() == {"REDUCING_WOULD_INCREASE": 1}  # 350 of 10,800


def test_a_cool_down_bars_entries_for_a_while() -> None:
    sell = ordered(client_order_id="s", side=Side.SELL)
    again, later = ordered(client_order_id="a"), ordered(client_order_id="l")
    requests: dict[int, list[Request]] = {0: [ordered()], 1: [sell], 3: [again], 5: [later]}
    result = ran([FLAT] * 7, requests, guards=(CoolDown(timedelta(hours=2)),))
    assert states(result)["a"] is OrderState.DENIED
    assert states(result)["l"] is OrderState.FILLED


def test_the_same_order_twice_is_one() -> None:
    result = ran([FLAT] * 3, {0: [ordered()], 1: [ordered()]})
    assert len(result.fills) == 1
    assert result.denials() == {"DUPLICATE_SIGNAL": 1}


def test_a_run_leaves_nothing_behind_for_the_next() -> None:
    first, second = (bought_and_sold() for _ in range(2))
    assert first.ledger == second.ledger


def test_cancelling_leaves_fills_and_ends_the_rest() -> None:
    entry = ordered(stop_loss=Decimal(95), time_in_force=TimeInForce.GTC)
    result = ran([FLAT, flat(100, 4), FLAT], {0: [entry], 1: [CancelAll("AAPL")]},
                 costs=Costs.of(participation=Decimal(1)))  # fmt: skip
    assert [fill[2] for fill in filled(result)] == [4]
    assert states(result) == {"o": OrderState.CANCELED, "o:stop_loss": OrderState.CANCELED}
    assert result.ledger[1].timestamp - result.ledger[0].timestamp == HOUR
