"""What happens to an account without any order: deposits, splits, dividends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from trading.backtest.market import Market
from trading.errors import ParameterError
from trading.instruments.actions import ActionKind, CorporateAction
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent, cash_in_lieu, deposit
from trading.units import UNIT, divided, floored, to_units

LARGEST_RATIO = 10_000
"""Greatest denominator of a split, by which 0.333333 is read as one to three."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """Dollars in units that are paid in, below 0: out."""

    dollars: int

    def events(self, account: Account, now: int) -> list[LedgerEvent]:  # noqa: ARG002
        """The events of the ledger."""
        return [deposit(now, self.dollars)]


@dataclass(frozen=True, slots=True)
class Dividend:
    """Dollars in units that each share is paid; a short position pays them."""

    symbol: str
    per_share: int

    def events(self, account: Account, now: int) -> list[LedgerEvent]:
        """The events of the ledger: none where no share is held."""
        held = account.quantity(self.symbol)
        if not held:
            return []
        return [LedgerEvent(now, self.symbol, EventKind.DIVIDEND, held, self.per_share)]


@dataclass(frozen=True, slots=True)
class Split:
    """`numerator` new shares for `denominator` old ones, floored to the increment."""

    symbol: str
    numerator: int
    denominator: int
    increment: int

    def events(self, account: Account, now: int) -> list[LedgerEvent]:
        """The events of the ledger: the shares that come or go, and cash for a fraction."""
        held = account.quantity(self.symbol)
        if not held:
            return []
        exact = held * self.numerator
        after = floored(int(Fraction(exact, self.denominator)), self.increment)
        ratio = divided(self.numerator * UNIT, self.denominator)
        events = [LedgerEvent(now, self.symbol, EventKind.SPLIT, after - held, ratio)]
        left = exact - after * self.denominator
        if left:
            value = account.holdings[self.symbol].value
            events.append(cash_in_lieu(now, self.symbol, value * left // exact))
        return events


Happening = Deposit | Dividend | Split


def happenings(
    market: Market,
    capital: Decimal,
    deposits: Sequence[tuple[int, Decimal]],
    actions: Sequence[CorporateAction],
) -> Mapping[int, list[Happening]]:
    """What happens before the fills of which row: deposits, then splits, then dividends.

    Args:
        market: The market; actions of other symbols, before it or after it are left out.
        capital: Dollars paid in at the first row.
        deposits: Rows and dollars.
        actions: Splits and dividends, in effect from the bar in which their day lies.

    Raises:
        ParameterError: A deposit is at a row that there is not.
    """
    found: dict[int, list[Happening]] = {0: [Deposit(to_units(capital, "capital"))]}
    for row, dollars in deposits:
        if not 0 <= row < len(market.clock):
            raise ParameterError(
                "deposits", row, f"a row from 0 to {len(market.clock) - 1}", "pass a row of a bar"
            )
        found.setdefault(row, []).append(Deposit(to_units(dollars, "deposits")))
    dates = market.clock.dates
    for action in sorted(actions, key=lambda action: action.kind is ActionKind.DIVIDEND):
        row = int(np.searchsorted(dates, np.datetime64(action.ex_date)))
        if action.symbol in market.symbols and row < len(dates):
            increment = market.increments[market.symbols.index(action.symbol)]
            found.setdefault(row, []).append(happening_of(action, increment))
    return found


def happening_of(action: CorporateAction, increment: int) -> Dividend | Split:
    """What an action does to an account.

    Args:
        action: The split or dividend.
        increment: Smallest step of a quantity of the symbol, in units.
    """
    if action.kind is ActionKind.DIVIDEND:
        return Dividend(action.symbol, divided(*_exact(action.value, UNIT)))
    ratio = Fraction(action.value).limit_denominator(LARGEST_RATIO)
    return Split(action.symbol, ratio.numerator, ratio.denominator, increment)


def _exact(value: float, scale: int) -> tuple[int, int]:
    """A float by its shortest decimal form, times a scale, as a ratio."""
    return (Fraction(repr(value)) * scale).as_integer_ratio()
