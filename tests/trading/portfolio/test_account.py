from __future__ import annotations

from collections import deque
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError
from trading.portfolio.account import Account
from trading.portfolio.attribution import Decision, attribution
from trading.portfolio.ledger import EventKind, LedgerEvent, deposit, from_table, to_table
from trading.units import CENT, MONEY, UNIT, to_dollars

Fills = list[tuple[int, int, int]]
"""Signed quantity, price and fee, in units, units and cents."""

fills = st.lists(
    st.tuples(
        st.integers(-(10**10), 10**10).filter(bool), st.integers(1, 10**12), st.integers(0, 500)
    ),
    min_size=1, max_size=20,
)  # fmt: skip


def ledger_of(made: Fills) -> list[LedgerEvent]:
    return [
        deposit(0, 100_000 * UNIT),
        *(
            LedgerEvent(at, "AAPL", EventKind.FILL, quantity, price, fee * CENT, f"o{at}")
            for at, (quantity, price, fee) in enumerate(made, 1)
        ),
    ]


def shares(number: int, price: str, fee: str = "0", at: int = 1) -> LedgerEvent:
    paid = int(Decimal(fee) * 100) * CENT
    return LedgerEvent(at, "AAPL", EventKind.FILL, number * UNIT, int(Decimal(price) * UNIT), paid)


def average_cost(made: Fills) -> tuple[Fraction, Fraction, Fraction]:
    """Quantity, average price and realised profit, by the definition."""
    q, a, realized = Fraction(0), Fraction(0), Fraction(0)
    for d, p, _ in made:
        if q == 0 or (q > 0) == (d > 0):
            a = (abs(q) * a + abs(d) * p) / (abs(q) + abs(d))
        else:
            closed: Fraction = min(Fraction(abs(d)), abs(q))
            realized += (1 if q > 0 else -1) * closed * (p - a)
            if abs(d) > abs(q):
                a = Fraction(p)
        q += d
    return q, a, realized


def fifo(made: Fills, mark: int) -> int:
    """Realised and unrealised profit together, lot by lot."""
    lots: deque[list[int]] = deque()
    earned = 0
    for quantity, price, _ in made:
        left = quantity
        while left and lots and (lots[0][0] > 0) != (left > 0):
            held = lots[0][0]
            size = min(-left, held) if held > 0 else max(-left, held)
            earned += size * (price - lots[0][1])
            lots[0][0] -= size
            left += size
            if not lots[0][0]:
                lots.popleft()
        if left:
            lots.append([left, price])
    return earned + sum(quantity * (mark - price) for quantity, price in lots)


@settings(deadline=None)
@given(fills, st.integers(1, 10**12))
def test_average_cost_is_the_definitions_and_equity_adds_up(made: Fills, mark: int) -> None:
    account = Account.of(ledger_of(made))
    account.mark("AAPL", mark)
    quantity, average, realized = average_cost(made)
    holding = account.holdings["AAPL"]
    assert holding.quantity == quantity
    # What leaves the cost is rounded to 10^-18 dollars, once a fill.
    assert abs(holding.cost - quantity * average) <= len(made)
    assert abs(account.realized - realized) <= len(made)
    assert account.equity - account.deposits == account.realized + account.unrealized - account.fees
    assert account.cash + quantity * mark == account.equity


@settings(deadline=None)
@given(fills, st.integers(1, 10**12))
def test_first_in_first_out_has_the_same_total(made: Fills, mark: int) -> None:
    account = Account.of(ledger_of(made))
    account.mark("AAPL", mark)
    assert account.realized + account.unrealized == fifo(made, mark)


@settings(deadline=None)
@given(fills)
def test_positions_that_ended_and_what_is_left_of_the_last_add_up(made: Fills) -> None:
    account = Account.of(ledger_of(made))
    holding = account.holdings["AAPL"]
    open_ = holding.trip if holding.quantity else 0
    assert sum(trip.pnl for trip in account.trips) + open_ == account.realized - account.fees


def test_a_flip_through_zero_opens_at_its_own_price() -> None:
    account = Account.of([shares(10, "100"), shares(-15, "110", "0.30", at=7)])
    holding = account.holdings["AAPL"]
    assert holding.quantity == -5 * UNIT
    assert holding.average_price == 110
    assert account.realized == 100 * MONEY
    assert holding.opened == 7
    assert [to_dollars(trip.pnl) for trip in account.trips] == [Decimal("99.80")]  # 10/15 of fees


@pytest.mark.parametrize("held", [10, -10])
def test_a_split_changes_neither_value_nor_profit(held: int) -> None:
    account = Account.of([shares(held, "90")])
    account.mark("AAPL", 99 * UNIT)
    before = account.equity, account.realized, account.unrealized
    account.apply(LedgerEvent(2, "AAPL", EventKind.SPLIT, held * UNIT // 2, 3 * UNIT // 2))
    assert (account.equity, account.realized, account.unrealized) == before
    account.mark("AAPL", 66 * UNIT)
    assert (account.equity, account.realized, account.unrealized) == before
    assert account.holdings["AAPL"].average_price == 60


def test_dividends_are_earned_by_the_long_and_paid_by_the_short() -> None:
    for held in (10, -10):
        account = Account.of([shares(held, "90")])
        account.apply(LedgerEvent(2, "AAPL", EventKind.DIVIDEND, held * UNIT, UNIT // 4))
        assert to_dollars(account.realized) == Decimal(held) / 4
    with pytest.raises(ValueError, match="no share is held"):
        Account().apply(LedgerEvent(2, "AAPL", EventKind.DIVIDEND, UNIT, UNIT))


@settings(deadline=None)
@given(fills)
def test_the_ledgers_table_gives_the_same_events_back(made: Fills) -> None:
    ledger = ledger_of(made)
    table = to_table(ledger)
    assert table.column_names == [
        "timestamp", "symbol", "kind", "quantity", "price", "fee", "order_id"
    ]  # fmt: skip
    assert from_table(table) == ledger


@settings(deadline=None)
@given(fills, st.data())
def test_the_attribution_adds_up_to_the_change_of_equity(made: Fills, data: st.DataObject) -> None:
    ledger = ledger_of(made)
    decisions = {
        event.order_id: Decision(
            data.draw(st.sampled_from(["a", "b"])),
            data.draw(st.none() | st.integers(1, 10**12)),
        )
        for event in ledger[1:]
    }
    account = Account.of(ledger)
    if account.quantity("AAPL"):
        for event in (
            LedgerEvent(90, "AAPL", EventKind.DIVIDEND, account.quantity("AAPL"), 7),
            LedgerEvent(91, "AAPL", EventKind.SPLIT, account.quantity("AAPL") // 3, 4 * UNIT // 3),
        ):
            ledger.append(event)
            account.apply(event)
    parts = attribution(ledger, decisions, account)
    assert sum(share.total for share in parts.values()) == account.equity - account.deposits
    assert -sum(share.fees for share in parts.values()) == account.fees


def test_slippage_is_told_apart_from_the_price() -> None:
    ledger = [shares(10, "100.5", "1.00")._replace(order_id="o")]
    account = Account.of(ledger)
    account.mark("AAPL", 103 * UNIT)
    parts = attribution(ledger, {"o": Decision("s", 100 * UNIT)}, account)
    found = parts["s", "AAPL"].dollars()
    assert found == {"price": 30, "dividends": 0, "fees": -1, "slippage": -5, "total": 24}
    with pytest.raises(DataError, match="no decision"):
        attribution(ledger, {}, account)
