"""Decimal numbers as whole numbers of a small unit, so that sums and products are exact and fast.

Prices and quantities count billionths: of a dollar, of a share. Money is a price times a quantity
and so counts 10^-18 dollars. Python's integers do not overflow, so nothing rounds but where a
function says so. `Decimal` is what people and other programs see.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats
from trading.errors import DataError, ParameterError

DIGITS = 9
"""Decimals of a price or a quantity."""

UNIT: int = 10**DIGITS
"""Units of one dollar's price, or of one share."""

MONEY = UNIT * UNIT
"""Units of one dollar of money."""

CENT = MONEY // 100
"""Money of one cent."""

HIGHEST_PRICE = 2e6
"""Up to here a float64 tells neighbouring billionths apart, so its decimals are read exactly."""

_EXACT = Context(prec=60, traps=[Inexact])

Units = npt.NDArray[np.int64]


def to_units(value: Decimal | int, parameter: str = "value") -> int:
    """A price or quantity in units.

    Args:
        value: Dollars or shares.
        parameter: What to call it in an error.

    Raises:
        ParameterError: It is not finite or has more than nine decimals.
    """
    number = Decimal(value)
    scaled = number.scaleb(DIGITS, _EXACT) if number.is_finite() else None
    if scaled is None or scaled != scaled.to_integral_value():
        raise ParameterError(
            parameter,
            str(value),
            f"a finite number of at most {DIGITS} decimals",
            "floor it to the instrument's increment",
        )
    return int(scaled)


def from_units(units: int) -> Decimal:
    """Dollars or shares of so many units, exactly."""
    return Decimal(units).scaleb(-DIGITS, _EXACT)


def to_dollars(money: int) -> Decimal:
    """Dollars of so much money, exactly."""
    return Decimal(money).scaleb(-2 * DIGITS, _EXACT)


def plain_text(number: Decimal) -> str:
    """A number in plain notation, exactly: no exponent, no zeros that say nothing.

    `str` writes 0E-18 and 1E+3, which not every reader of numbers takes.
    """
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def to_money(dollars: Decimal | int, parameter: str = "amount") -> int:
    """Money of so many dollars.

    Raises:
        ParameterError: It is not finite or has more than nine decimals.
    """
    return to_units(dollars, parameter) * UNIT


def floored(quantity: int, increment: int) -> int:
    """The quantity without what exceeds a multiple of the increment, towards zero."""
    return quantity - quantity % increment if quantity >= 0 else -floored(-quantity, increment)


def divided(numerator: int, denominator: int) -> int:
    """The quotient rounded half up; the denominator is above 0."""
    return (2 * numerator + denominator) // (2 * denominator)


def quantity_of(shares: float) -> int:
    """A float64 number of shares in units, by its shortest decimal form, floored."""
    return int(Decimal(repr(shares)).scaleb(DIGITS, _EXACT))


def price_units(prices: Floats, source: str) -> Units:
    """Prices in units, 0 where one is missing; rounded to nine decimals.

    Args:
        prices: Dollars, NaN where missing, any shape.
        source: What to call them in an error.

    Raises:
        DataError: A price is not above 0, or above `HIGHEST_PRICE`.
    """
    known = ~np.isnan(prices)
    wrong = prices[known & ~((prices > 0) & (prices <= HIGHEST_PRICE))]
    if len(wrong):
        raise DataError(
            source,
            f"{wrong[0]} is not a price above 0 and up to {HIGHEST_PRICE:,.0f}",
            "leave that bar out",
        )
    units: Units = np.rint(np.where(known, prices, 0.0) * UNIT).astype(np.int64)
    return units
