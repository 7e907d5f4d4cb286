"""An account folded again from its ledger is the one that the engine walked."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.backtest.markets import Row, clock_of, market_of
from trading.arrays import Floats
from trading.backtest.assumptions import Assumptions
from trading.backtest.engine import run
from trading.backtest.market import Market
from trading.backtest.result import Course, Result
from trading.backtest.sweep.replay import combined, replayed
from trading.backtest.targets import TargetOrders
from trading.backtest.terms import Terms
from trading.instruments.actions import ActionKind, CorporateAction
from trading.portfolio.ledger import from_table
from trading.strategies.protocol import Signals

ROWS = 28


@st.composite
def runs(draw: st.DrawFn, symbols: int = 2) -> tuple[Market, Result]:
    """A portfolio with gaps, splits, dividends, shorts and flips."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    names = ["A", "B"][:symbols]
    bars: dict[str, list[Row | None]] = {}
    for name in names:
        closes = 50 * np.exp(np.cumsum(chance.normal(0, 0.05, ROWS))).round(2)
        there = chance.random(ROWS) < 0.8
        there[0] = True
        bars[name] = [
            (c, c + 1, c - 1, c, 1e6) if has else None
            for c, has in zip(closes.tolist(), there, strict=True)
        ]
    market = market_of(bars, clock_of(ROWS))
    actions = [
        CorporateAction(
            symbol=draw(st.sampled_from(names)),
            kind=draw(st.sampled_from(ActionKind)),
            ex_date=date(2024, 1, 2) + timedelta(days=draw(st.integers(1, 3))),
            value=draw(st.sampled_from([0.5, 2.0, 3.0])),
        )
        for _ in range(draw(st.integers(0, 2)))
    ]
    signals = [Signals(chance.integers(-1, 2, len(rows)).astype(np.int8)) for rows in market.rows]
    assumptions = Assumptions(allow_short=True, fees_bps=Decimal(3))
    source = TargetOrders(market, signals, assumptions)
    terms = Terms(capital=Decimal(10_000), costs=assumptions.costs(), actions=actions)
    return market, run(market, source, terms)


def close_to(found: Floats, expected: Floats) -> bool:
    return bool(np.allclose(found, expected, rtol=1e-9, atol=1e-6))


@settings(deadline=None, max_examples=80)
@given(runs())
def test_a_replayed_ledger_is_the_course_of_its_run(case: tuple[Market, Result]) -> None:
    market, result = case
    found, expected = replayed(market, from_table(result.table())), result.course
    assert close_to(found.equity, expected.equity)
    assert close_to(found.before, expected.before)
    assert close_to(found.traded, expected.traded)
    assert (found.invested == expected.invested).all()
    assert found.pnl.tolist() == expected.pnl.tolist()
    assert found.closed.tolist() == expected.closed.tolist()


def course(stamps: list[int], equity: list[float]) -> Course:
    values = np.array(equity)
    return Course(
        timestamps=np.array(stamps, "datetime64[ns]"),
        equity=values,
        before=np.concatenate(([values[0]], values[:-1])),
        traded=np.zeros(len(values)),
        invested=np.array([i == 1 for i in range(len(values))]),
        closed=np.array(stamps[-1:], "datetime64[ns]"),
        pnl=np.array([1.0]),
    )


def test_accounts_of_their_own_add_up_on_the_clock_of_both() -> None:
    found = combined([course([1, 2, 4], [100, 110, 121]), course([2, 3, 4], [50, 40, 44])])
    assert found.timestamps.astype(int).tolist() == [1, 2, 3, 4]
    assert found.equity.tolist() == [100, 160, 150, 165]
    # What the second account begins with is paid in, no gain.
    assert found.before.tolist() == [100, 150, 160, 150]
    assert found.returns.round(6).tolist() == [0, 0.066667, -0.0625, 0.1]
    assert found.invested.tolist() == [False, True, True, False]
    assert found.pnl.tolist() == [1.0, 1.0]


def test_a_stretch_of_a_course_has_what_ended_in_it() -> None:
    whole = combined([course([1, 2, 4], [100, 110, 121])])
    assert whole[:2].pnl.tolist() == []
    assert whole[2:].pnl.tolist() == [1.0]
    assert whole[2:].returns.round(9).tolist() == [0.1]
    assert len(whole[3:]) == 0
