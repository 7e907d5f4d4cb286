"""What a run leaves: the ledger, the orders, the equity of each bar, what positions earned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trading.arrays import Floats, Timestamps
from trading.backtest.market import Market
from trading.orders.states import OrderState
from trading.orders.working import WorkingOrder
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent, to_table
from trading.risk.watch import RiskState
from trading.units import MONEY, to_dollars


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Course:
    """How an account went, row by row: arrays of shape (n,), and of shape (m,) for its trades.

    Attributes:
        timestamps: Bar starts, UTC.
        equity: Dollars at each bar's close.
        before: Dollars that each bar began with: the equity before it and what was paid in.
        traded: Dollars bought and sold in each bar.
        invested: Where a position is open at the close.
        closed: Of each position that ended, the bar in which it did.
        pnl: What each of them earned after fees, in dollars.
    """

    timestamps: Timestamps
    equity: Floats
    before: Floats
    traded: Floats
    invested: npt.NDArray[np.bool_]
    closed: Timestamps
    pnl: Floats

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.timestamps)

    def __getitem__(self, rows: slice) -> Course:
        """The stretch of the given rows, with the positions that ended in it."""
        stamps = self.timestamps[rows]
        ended = np.zeros(len(self.closed), np.bool_)
        if len(stamps):
            ended = (stamps[0] <= self.closed) & (self.closed <= stamps[-1])
        return Course(
            timestamps=stamps,
            equity=self.equity[rows],
            before=self.before[rows],
            traded=self.traded[rows],
            invested=self.invested[rows],
            closed=self.closed[ended],
            pnl=self.pnl[ended],
        )

    @property
    def returns(self) -> Floats:
        """Return of each bar on the net asset value per unit, a fraction.

        What is paid in or out within a bar comes before its fills and counts as there from the
        bar's start. A loss of everything is -1, and 0 follows.
        """
        alive = self.before > 0
        returns: Floats = np.zeros(len(self.equity))
        returns[alive] = np.maximum(self.equity[alive] / self.before[alive] - 1.0, -1.0)
        return returns


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Result:
    """A run's result; arrays of shape (n,), one value a row of the market's clock.

    Attributes:
        timestamps: Bar starts, UTC.
        equity: Dollars at each bar's close, rounded to float64.
        deposits: Dollars paid in at each bar, below 0 out; the capital is at the first.
        traded: Dollars bought and sold in each bar.
        invested: Where a position is open at the close.
        final_equity: The last equity, exactly.
        fees: All fees, exactly.
        ledger: All events, in order.
        orders: All orders in the order in which they were made, with how they ended.
        account: The fold over the ledger, marked at the last closes.
        risk: The state of the account at the end.
    """

    timestamps: Timestamps
    equity: Floats
    deposits: Floats
    traded: Floats
    invested: npt.NDArray[np.bool_]
    final_equity: Decimal
    fees: Decimal
    ledger: Sequence[LedgerEvent]
    orders: Sequence[WorkingOrder]
    account: Account
    risk: RiskState

    @classmethod
    def of(
        cls,
        *,
        market: Market,
        ledger: list[LedgerEvent],
        curve: list[int],
        account: Account,
        orders: list[WorkingOrder],
        risk: RiskState,
    ) -> Result:
        """Put a run's result together.

        Args:
            market: What was walked through.
            ledger: All events.
            curve: Equity of each row, as money.
            account: The fold over the ledger.
            orders: All orders.
            risk: The last state.
        """
        rows = np.searchsorted(
            market.clock.starts, np.array([event.timestamp for event in ledger], np.int64)
        )
        kinds = np.array([event.kind for event in ledger], object)
        amounts = np.array([event.quantity * event.price / MONEY for event in ledger], np.float64)
        count = len(curve)
        paid, filled = kinds == EventKind.DEPOSIT, kinds == EventKind.FILL
        return cls(
            timestamps=market.clock.starts.view("datetime64[ns]"),
            equity=np.array([equity / MONEY for equity in curve], np.float64),
            deposits=_sums(rows[paid], amounts[paid], count),
            traded=_sums(rows[filled], np.abs(amounts[filled]), count),
            invested=_invested(market, ledger, rows),
            final_equity=to_dollars(curve[-1] if curve else 0),
            fees=to_dollars(account.fees),
            ledger=ledger,
            orders=orders,
            account=account,
            risk=risk,
        )

    @property
    def fills(self) -> list[LedgerEvent]:
        """The fills among the ledger's events."""
        return [event for event in self.ledger if event.kind is EventKind.FILL]

    @property
    def course(self) -> Course:
        """How the account went, row by row."""
        trips = self.account.trips
        return Course(
            timestamps=self.timestamps,
            equity=self.equity,
            before=np.concatenate(([0.0], self.equity[:-1])) + self.deposits,
            traded=self.traded,
            invested=self.invested,
            closed=np.array([trip.closed for trip in trips], np.int64).view("datetime64[ns]"),
            pnl=np.array([trip.pnl / MONEY for trip in trips], np.float64),
        )

    @property
    def returns(self) -> Floats:
        """Return of each bar, see `Course.returns`."""
        return self.course.returns

    def denials(self) -> dict[str, int]:
        """How many orders our own gate refused, by code."""
        denied = (order for order in self.orders if order.state is OrderState.DENIED)
        return dict(sorted(Counter(order.reason for order in denied).items()))

    def table(self) -> pa.Table:
        """The ledger as Arrow columns, see `trading.portfolio.ledger`."""
        return to_table(self.ledger)


def _sums(rows: npt.NDArray[np.int64], amounts: Floats, count: int) -> Floats:
    """The amounts of each row added up, shape (count,)."""
    return np.bincount(rows, amounts, count).astype(np.float64)


def _invested(
    market: Market, ledger: list[LedgerEvent], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Where any symbol has a position after the row's events."""
    held: dict[str, int] = {}
    edges = np.zeros(len(market.clock), np.int64)
    for event, row in zip(ledger, rows.tolist(), strict=True):
        if event.kind in {EventKind.FILL, EventKind.SPLIT}:
            before = held.get(event.symbol, 0)
            held[event.symbol] = after = before + event.quantity
            edges[row] += bool(after) - bool(before)
    invested: npt.NDArray[np.bool_] = np.cumsum(edges) > 0
    return invested
