"""Make a small table hold exactly the given rows, touching those alone that differ."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow


def replace_rows(
    connection: psycopg.Connection[TupleRow],
    table: str,
    columns: Sequence[str],
    rows: Collection[tuple[object, ...]],
) -> int:
    """Delete the rows that are not among the given ones, insert those that are missing.

    Args:
        connection: In a transaction.
        table: The table.
        columns: All of its columns, in the order of the rows.
        rows: What it shall hold.

    Returns:
        How many rows were deleted and inserted.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    target = sql.Identifier(table)
    # Nobody changes the table between the look at it and the change.
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(target))
    select = sql.SQL("SELECT {} FROM {}").format(names, target)
    stored = set(connection.execute(select).fetchall())
    wanted = set(rows)
    same = sql.SQL(" AND ").join(
        sql.SQL("{} IS NOT DISTINCT FROM %s").format(sql.Identifier(name)) for name in columns
    )
    values = sql.SQL(", ").join(sql.SQL("%s") for _ in columns)
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.SQL("DELETE FROM {} WHERE {}").format(target, same), list(stored - wanted)
        )
        cursor.executemany(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(target, names, values),
            list(wanted - stored),
        )
    return len(stored ^ wanted)
