"""Rows of a statement as the values of a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString, TypeVar

from psycopg.rows import class_row

from database.connection import Database

T = TypeVar("T")


def rows_of(
    database: Database,
    kind: type[T],
    statement: LiteralString,
    values: Mapping[str, object] | Sequence[object] = (),
) -> list[T]:
    """All rows that a statement gives, each as a `kind` made of its columns by name.

    Raises:
        DatabaseError: The database does not answer.
    """
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(kind)) as cursor,
    ):
        return cursor.execute(statement, values).fetchall()
