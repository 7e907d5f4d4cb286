"""Company data into the database: what has changed, from when it was known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import stamina

from adapters.market_data.protocol import SourceError
from database.companies import record_facts
from database.connection import open_database
from trading.companies.facts import CompanyFact


class CompanySource(Protocol):
    """Somebody who knows companies."""

    def facts(self, symbol: str) -> list[CompanyFact]:
        """All that is known of a company now.

        Raises:
            SourceError: The source did not deliver.
        """


@dataclass(frozen=True, slots=True)
class CompanySummary:
    """What a look at companies came to.

    Attributes:
        changed: Facts that are new or have changed, by symbol.
        failed: Why nothing is known, by symbol.
    """

    changed: Mapping[str, int]
    failed: Mapping[str, str]

    @property
    def sentence(self) -> str:
        """The summary in one sentence."""
        text = f"{sum(self.changed.values())} facts changed of {len(self.changed)} companies"
        if self.failed:
            reasons = "; ".join(list(self.failed.values())[:5])
            text += f", and {len(self.failed)} were not read ({reasons})"
        return text


def fetch_companies(
    database_url: str, source: CompanySource, symbols: Sequence[str]
) -> CompanySummary:
    """Store what has changed of companies; one that fails stops no other.

    Raises:
        DatabaseError: The database did not take it; what was stored before stays.
    """
    changed: dict[str, int] = {}
    failed: dict[str, str] = {}
    with open_database(database_url) as database:
        for symbol in symbols:
            try:
                changed[symbol] = record_facts(database, _RETRYING(source.facts, symbol))
            except SourceError as error:
                failed[symbol] = str(error)
    return CompanySummary(changed, failed)


def _worth_retrying(error: Exception) -> bool:
    return isinstance(error, SourceError) and error.transient


_RETRYING = stamina.RetryingCaller(
    attempts=3, timeout=None, wait_initial=1.0, wait_max=20.0, wait_jitter=1.0
).on(_worth_retrying)
