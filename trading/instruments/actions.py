"""Corporate actions: splits and cash dividends, by the day from which a share trades without."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from trading.errors import DataError


class ActionKind(StrEnum):
    """What happened to a share."""

    SPLIT = "split"
    DIVIDEND = "dividend"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorporateAction:
    """One split or cash dividend.

    Attributes:
        symbol: The instrument's symbol.
        kind: Split or dividend. A dividend in shares is a split.
        ex_date: First New York date on which a share trades without what it gives.
        value: Of a split, new shares per old one (4.0 for four to one, 0.1 for one to ten); of a
            dividend, cash per share of that day, not adjusted for later splits.
        currency: Of a dividend.
        known_at: When it became known, aware; None where the source does not say.
    """

    symbol: str
    kind: ActionKind
    ex_date: date
    value: float
    currency: str = "USD"
    known_at: datetime | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.value < float("inf"):
            what = f"{self.symbol}: {self.kind.value} of {self.ex_date.isoformat()}"
            raise DataError(what, f"its value is {self.value!r}", "correct the table of actions")
