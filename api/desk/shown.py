"""Numbers and times as people read them, the same on a page and in a frame.

Signs are the true minus and the plus; times are those of New York.
"""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from trading.instruments.clock import NEW_YORK

Number = Decimal | float | int

Tone = Literal["", "gain", "loss", "warn", "bad", "good", "quiet"]
"""What a text means beside what it says."""

MISSING = "n/a"


class Cell(NamedTuple):
    """One text of the desk, as it is pushed.

    Attributes:
        text: What is read.
        tone: What it means.
        share: How long its bar is, from -1 to 1; None without a bar.
        at: The moment it is of, milliseconds since 1970 in UTC; None when it has none.
        stale: Whether it is older than it should be.
    """

    text: str
    tone: Tone = ""
    share: float | None = None
    at: int | None = None
    stale: bool = False


def money(value: Number | None, digits: int = 2) -> str:
    """`$1,234.50`, `−$3.00`."""
    if value is None or not math.isfinite(value):
        return MISSING
    return _minus(value, digits) + f"${abs(value):,.{digits}f}"


def signed_money(value: Number | None, digits: int = 2) -> str:
    """The same with a plus above zero."""
    text = money(value, digits)
    return f"+{text}" if text != MISSING and _rounded(value, digits) > 0 else text


def price(value: Number | None) -> str:
    """Dollars without the sign of them, to the cent, below a dollar to four digits."""
    if value is None or not math.isfinite(value):
        return MISSING
    digits = 2 if abs(float(value)) >= 1 or value == 0 else 4
    return _minus(value, digits) + f"{abs(value):,.{digits}f}"


def percent(share: Number | None, digits: int = 2) -> str:
    """`12.50 %` of a share of 0.125."""
    if share is None or not math.isfinite(share):
        return MISSING
    value = float(share) * 100
    return _minus(value, digits) + f"{abs(value):,.{digits}f} %"


def signed_percent(share: Number | None, digits: int = 2) -> str:
    """The same with a plus above zero."""
    text = percent(share, digits)
    return f"+{text}" if text != MISSING and _rounded(float(share or 0) * 100, digits) > 0 else text


def quantity(value: Number | None) -> str:
    """Shares: whole ones without decimals, others with as many as they have."""
    if value is None:
        return MISSING
    number = Decimal(str(value)).normalize()
    digits = max(0, -int(number.as_tuple().exponent))
    return _minus(number, digits) + f"{abs(number):,.{digits}f}"


def ratio(value: Number | None, digits: int = 2) -> str:
    """A plain number with a true minus."""
    if value is None or not math.isfinite(value):
        return MISSING
    return _minus(value, digits) + f"{abs(value):,.{digits}f}"


def large(value: Number | None) -> str:
    """`3.42 T`, `12.1 B`, `845 K`: three digits and a letter."""
    if value is None or not math.isfinite(value):
        return MISSING
    size = abs(float(value))
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if size >= unit:
            return f"{_minus(value, 2)}{size / unit:.3g} {letter}"
    return ratio(value, 0 if size == int(size) else 2)


def clock(moment: datetime | None) -> str:
    """`14:32:05`, by the clock of New York."""
    return MISSING if moment is None else f"{moment.astimezone(NEW_YORK):%H:%M:%S}"


def day_and_time(moment: datetime | None) -> str:
    """`2026-11-25 14:32`, by the clock of New York."""
    return MISSING if moment is None else f"{moment.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"


def age(seconds: float) -> str:
    """`4 s`, `12 min`, `3 h`, `5 d`."""
    seconds = max(0.0, seconds)
    for unit, letter in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit * (2 if unit > 60 else 1):  # noqa: PLR2004 - a minute
            return f"{int(seconds // unit)} {letter}"
    return f"{int(seconds)} s"


def countdown(seconds: float) -> str:
    """`2 h 14 min`, `14 min`, `45 s`: what is left to a bell."""
    minutes = int(seconds // 60)
    if minutes >= 48 * 60:
        return f"{minutes // 1440} d"
    if minutes >= 60:  # noqa: PLR2004
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"


def tone_of(value: Number | None, digits: int = 2) -> Tone:
    """Gain above zero, loss below, by what is shown of the number."""
    if value is None or not math.isfinite(value):
        return ""
    rounded = _rounded(value, digits)
    return "gain" if rounded > 0 else "loss" if rounded < 0 else ""


def milliseconds(moment: datetime) -> int:
    """Since 1970 in UTC."""
    return int(moment.timestamp() * 1000)


def _rounded(value: Number | None, digits: int) -> float:
    # As it is printed: `round` of a float and a Decimal's format differ in how they treat halves.
    return float(f"{value or 0:.{digits}f}")


def _minus(value: Number, digits: int) -> str:
    return "−" if _rounded(value, digits) < 0 else ""
