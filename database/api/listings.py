"""Pages of a table or view, by the place of the last row: quick and steady however far one reads.

What may be listed is described once, by columns and an order that no two rows share; values alone
come from outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, LiteralString

from psycopg import sql
from psycopg.rows import dict_row

from database.connection import Database


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listing:
    """Rows that can be listed; one equals itself alone.

    Attributes:
        rows: A table's name or a query in parentheses.
        columns: What is read of each row.
        order: Columns that tell rows apart, the first counts first.
        types: The Postgres types of these.
        descending: Whether the greatest comes first.
        filters: Conditions by name, each with one place for its value.
    """

    rows: LiteralString
    columns: tuple[LiteralString, ...]
    order: tuple[LiteralString, ...]
    types: tuple[LiteralString, ...]
    descending: bool
    filters: Mapping[str, LiteralString]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a listing.

    Attributes:
        rows: By column.
        next_place: The place of the last row when there are more behind it.
    """

    rows: list[dict[str, Any]]
    next_place: tuple[Any, ...] | None


def page(
    database: Database,
    listing: Listing,
    filters: Mapping[str, object],
    *,
    after: Sequence[Any] | None = None,
    limit: int,
) -> Page:
    """A page of a listing.

    Args:
        database: The database.
        listing: What is listed.
        filters: Values by filter; None does not filter.
        after: The place of the row behind which the page begins; None for the first page.
        limit: At most so many rows.

    Raises:
        DatabaseError: The database does not answer.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    statement = _statement(listing, tuple(given), follows=after is not None)
    values = [*given.values(), *(after or ()), limit + 1]
    with (
        database.single_statements() as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        rows = cursor.execute(statement, values).fetchall()
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]
    return Page(rows[:limit], tuple(last[name] for name in listing.order))


@lru_cache(maxsize=1_000)
def _statement(listing: Listing, filters: tuple[str, ...], *, follows: bool) -> bytes:
    """The statement of a page: composing one takes longer than Postgres takes to answer it."""
    conditions = [sql.SQL("true"), *(sql.SQL(listing.filters[name]) for name in filters)]
    statement = sql.SQL("SELECT {} FROM {} AS listed WHERE {} ORDER BY {} LIMIT %s").format(
        sql.SQL(", ").join(map(sql.Identifier, listing.columns)),
        sql.SQL(listing.rows),
        sql.SQL(" AND ").join([*conditions, *([_behind(listing)] if follows else [])]),
        sql.SQL(", ").join(_ordered(listing, name) for name in listing.order),
    )
    return statement.as_bytes()


def _behind(listing: Listing) -> sql.Composable:
    places = sql.SQL(", ").join(sql.SQL(f"%s::{kind}") for kind in listing.types)
    names = sql.SQL(", ").join(map(sql.Identifier, listing.order))
    sign = sql.SQL("<" if listing.descending else ">")
    return sql.SQL("({}) {} ({})").format(names, sign, places)


def _ordered(listing: Listing, name: str) -> sql.Composable:
    return sql.SQL("{} DESC" if listing.descending else "{}").format(sql.Identifier(name))
