"""What is known of companies: each version from when it was known; unchanged content adds none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from database.connection import Database
from trading.companies.facts import CompanyFact, FactKind

_LAST = """
SELECT period, digest FROM company_fact
WHERE symbol = %(symbol)s AND kind = %(kind)s
    AND (%(period)s::date IS NULL OR period = %(period)s)
ORDER BY known_at DESC LIMIT 1
"""

_ADD = """
INSERT INTO company_fact (symbol, kind, period, known_at, content, digest, source)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""

_KNOWN = """
SELECT DISTINCT ON (kind, period) symbol, kind, period, known_at, content, source
FROM company_fact WHERE symbol = %(symbol)s AND known_at <= %(as_of)s
    AND (%(kind)s::text IS NULL OR kind = %(kind)s)
ORDER BY kind, period DESC, known_at DESC
"""

_NAMES = """
SELECT DISTINCT ON (symbol) symbol, content ->> 'longName' FROM company_fact
WHERE symbol = ANY(%s) AND kind = 'profile' ORDER BY symbol, known_at DESC
"""


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact as it was known.

    Attributes:
        symbol: The company's symbol.
        kind: What it is about.
        period: The period's end; of what has none, the day it was first known.
        known_at: From when on this version was known.
        content: What it says.
        source: Who said so.
    """

    symbol: str
    kind: FactKind
    period: date
    known_at: datetime
    content: dict[str, Any]
    source: str


def record_facts(database: Database, facts: Sequence[CompanyFact]) -> int:
    """Store what is new or has changed; how many facts that are.

    Raises:
        DatabaseError: The database did not take them; none was stored.
    """
    with database.transaction() as connection:
        return sum(_record(connection, fact) for fact in facts)


def _record(connection: psycopg.Connection[TupleRow], fact: CompanyFact) -> bool:
    # Two that record the same symbol at once would both find the version of before.
    connection.execute("SELECT pg_advisory_xact_lock(7340003, hashtext(%s))", [fact.symbol])
    wanted = {"symbol": fact.symbol, "kind": fact.kind, "period": fact.period}
    last = connection.execute(_LAST, wanted).fetchone()
    if last is not None and bytes(last[1]) == fact.digest:
        return False
    known_day = last[0] if last is not None else fact.known_at.date()
    period = fact.period or known_day
    connection.execute(
        _ADD,
        [
            fact.symbol, fact.kind, period, fact.known_at, Jsonb(dict(fact.content)), fact.digest,
            fact.source,
        ],
    )  # fmt: skip
    return True


def known_facts(
    database: Database, symbol: str, as_of: datetime, kind: FactKind | None = None
) -> list[StoredFact]:
    """What was known of a company at a moment, the latest period of each kind first.

    Args:
        database: The database.
        symbol: The company's symbol.
        as_of: The moment; nothing that became known later is in the answer.
        kind: Of this kind alone.
    """
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(StoredFact)) as cursor,
    ):
        wanted = {"symbol": symbol, "as_of": as_of, "kind": kind}
        return cursor.execute(_KNOWN, wanted).fetchall()


def company_names(database: Database, symbols: Sequence[str]) -> dict[str, str]:
    """The names of those companies whose profile is known, by symbol."""
    with database.transaction() as connection:
        rows = connection.execute(_NAMES, [list(symbols)]).fetchall()
    return {symbol: name for symbol, name in rows if name}
