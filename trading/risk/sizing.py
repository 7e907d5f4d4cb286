"""How much to trade: quantities floored to the increment, by exact arithmetic."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from trading.errors import ParameterError

FEWEST_TRADES = 20
"""Below so many trades a win rate says nothing."""

WITHOUT_HISTORY = Decimal("0.02")
"""Share of equity that is then put at stake."""


def fixed_fraction(
    equity: Decimal, fraction: Decimal, price: Decimal, increment: Decimal
) -> Decimal:
    """Shares that a fixed share of the equity buys; 0 without equity.

    Args:
        equity: Dollars.
        fraction: Share of it, at least 0.
        price: Dollars per share.
        increment: Smallest step of a quantity.
    """
    _check_positive(price=price, increment=increment)
    return _floored(Fraction(equity) * Fraction(fraction) / Fraction(price), increment)


def risk_based(
    *,
    equity: Decimal,
    risk: Decimal,
    entry: Decimal,
    stop: Decimal,
    round_trip_cost: Decimal,
    increment: Decimal,
) -> Decimal:
    """Shares with which a stopped-out trade loses a share `risk` of the equity.

    E * r / (|entry - stop| + round-trip cost).

    Args:
        equity: Dollars.
        risk: Share of it that may be lost.
        entry: Price of the entry in dollars.
        stop: Price of the stop.
        round_trip_cost: Dollars per share for getting in and out.
        increment: Smallest step of a quantity.

    Raises:
        ParameterError: Entry and stop are the same and nothing costs anything.
    """
    _check_positive(increment=increment)
    per_share = abs(Fraction(entry) - Fraction(stop)) + Fraction(round_trip_cost)
    if per_share <= 0:
        raise ParameterError(
            "stop", str(stop), "away from the entry", "pass the price at which the idea is wrong"
        )
    return _floored(Fraction(equity) * Fraction(risk) / per_share, increment)


def volatility_weight(target: float, sigma: float, largest: float) -> float:
    """The share of equity at which a position has the wanted volatility, at most `largest`.

    w = min(w_max, target / sigma); 0 where the volatility is not known.

    Args:
        target: Wanted volatility per year, a fraction.
        sigma: The instrument's.
        largest: w_max.
    """
    if not sigma >= 0:
        return 0.0
    return largest if target >= largest * sigma else target / sigma


def half_kelly(wins: int, trades: int, payoff: Decimal) -> Decimal:
    """Half of Kelly's share of equity, between 0 and 1/2; a fixed 2 % below 20 trades.

    (W - (1 - W) / B) / 2 with the win rate W and the payoff B (Kelly, "A New Interpretation of
    Information Rate", Bell System Technical Journal 35, 1956).

    Args:
        wins: Trades that earned something.
        trades: All trades.
        payoff: Average win over average loss.
    """
    if trades < FEWEST_TRADES:
        return WITHOUT_HISTORY
    if payoff <= 0:
        return Decimal(0)
    won = Decimal(wins) / trades
    return max(Decimal(0), (won - (1 - won) / payoff) / 2)


def _floored(quantity: Fraction, increment: Decimal) -> Decimal:
    return max(0, quantity // Fraction(increment)) * increment


def _check_positive(**values: Decimal) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ParameterError(name, str(value), "above 0", "pass what the instrument has")
