"""Facts of a company: profile, officers, statistics, holders and financial statements."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, get_args

FactKind = Literal["profile", "officers", "statistics", "holders", "income", "balance", "cashflow"]
FACT_KINDS: tuple[FactKind, ...] = get_args(FactKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyFact:
    """Something that a source says of a company.

    Attributes:
        symbol: The company's symbol.
        kind: What it is about.
        period: The end of the period that it is of; None for what holds until it changes.
        content: What is said, as JSON can hold it.
        source: Who says so.
        known_at: When we had it, aware: nobody could have acted on it before.
    """

    symbol: str
    kind: FactKind
    period: date | None
    content: Mapping[str, Any]
    source: str
    known_at: datetime

    @property
    def digest(self) -> bytes:
        """The same for equal content, in whatever order its parts come."""
        text = json.dumps(self.content, sort_keys=True, allow_nan=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()
