"""The bar tables' months: partitions that are made when they are first needed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
from psycopg import sql

from database.bars.columns import BAR_TABLES
from database.connection import Database
from trading.arrays import Timestamps
from trading.bars.intervals import Interval

_LOCK = 0x7472_6164_6502
"""Of the advisory lock under which one process at a time makes months."""

_MONTHS = """
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass
"""


def months_of(timestamps: Timestamps) -> list[date]:
    """The first days of the UTC months with a bar, in order."""
    months = np.unique(timestamps.astype("datetime64[M]"))
    return [month.astype("datetime64[D]").item() for month in months]


def months_present(database: Database, interval: Interval) -> list[date]:
    """The first days of the months that there are tables for, in order."""
    with database.transaction() as connection:
        names = connection.execute(_MONTHS, [BAR_TABLES[interval]]).fetchall()
    return sorted(_month(str(name)) for (name,) in names)


def ensure_months(database: Database, interval: Interval, months: Iterable[date]) -> None:
    """Make the months that are missing, without keeping readers or writers of others waiting.

    Commits on its own: an empty month does no harm.
    """
    table = BAR_TABLES[interval]
    if set(months) <= set(months_present(database, interval)):
        return
    with database.transaction() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        present = {str(name) for (name,) in connection.execute(_MONTHS, [table]).fetchall()}
        for month in sorted(months):
            name = month_table(interval, month)
            if name in present:
                continue
            # Made by itself and attached: making it as a partition would wait for all readers.
            like = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)")
            connection.execute(like.format(sql.Identifier(name), sql.Identifier(table)))
            attach = sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})")
            first, end = (f"{day} 00:00:00+00" for day in (month, next_month(month)))
            connection.execute(
                attach.format(sql.Identifier(table), sql.Identifier(name), first, end)
            )


def month_table(interval: Interval, month: date) -> str:
    """The name of a month's table."""
    return f"{BAR_TABLES[interval]}_{month:%Y_%m}"


def next_month(month: date) -> date:
    """The first day of the month after that of `month`."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _month(name: str) -> date:
    year, month = name.split("_")[-2:]
    return date(int(year), int(month), 1)
