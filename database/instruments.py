"""Instruments, and which of them a symbol meant on a date: a reused ticker is two."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from psycopg.rows import TupleRow, class_row

from database.connection import Database
from database.row_sets import replace_rows
from trading.instruments.instrument import Instrument

_FIELDS = (
    "symbol", "name", "kind", "exchange", "sector", "calendar", "increment", "listed", "delisted",
    "identifier",
)  # fmt: skip

_AS_OF = f"""
SELECT id, {", ".join(f"instrument.{name}" for name in _FIELDS)}
FROM symbol_history JOIN instrument ON instrument.id = instrument_id
WHERE symbol_history.symbol = %s AND valid_from <= %s AND (valid_to IS NULL OR valid_to > %s)
"""  # noqa: S608 - our own names

_SYMBOLS = """
SELECT symbol, instrument_id, valid_from, valid_to FROM symbol_history
WHERE instrument_id = %s ORDER BY valid_from
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInstrument:
    """An instrument under the name that stays its own when its symbol changes hands.

    Attributes:
        id: The name, e.g. a FIGI, or symbol and first day.
        instrument: What is known of it.
    """

    id: str
    instrument: Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolPeriod:
    """When a symbol meant an instrument.

    Attributes:
        symbol: The symbol.
        instrument_id: The instrument.
        valid_from: The first day.
        valid_to: The first day on which it no longer did; None while it does.
    """

    symbol: str
    instrument_id: str
    valid_from: date
    valid_to: date | None = None


def replace_instruments(
    database: Database,
    instruments: Collection[StoredInstrument],
    history: Collection[SymbolPeriod],
) -> int:
    """Make the database hold these instruments and no others; how many rows that changes.

    Raises:
        DatabaseError: A symbol means two instruments on one day, or one that is not given; nothing
            was changed.
    """
    rows = [
        (stored.id, *(getattr(stored.instrument, name) for name in _FIELDS))
        for stored in instruments
    ]
    periods = [
        (period.symbol, period.instrument_id, period.valid_from, period.valid_to)
        for period in history
    ]
    period_columns = ("symbol", "instrument_id", "valid_from", "valid_to")
    with database.transaction() as connection:
        changed = replace_rows(connection, "instrument", ("id", *_FIELDS), rows)
        return changed + replace_rows(connection, "symbol_history", period_columns, periods)


def instrument_as_of(database: Database, symbol: str, day: date) -> StoredInstrument | None:
    """The instrument that the symbol meant on that day, None when it meant none."""
    with database.transaction() as connection:
        row = connection.execute(_AS_OF, [symbol, day, day]).fetchone()
    return None if row is None else _stored(row)


def symbols_of(database: Database, instrument_id: str) -> list[SymbolPeriod]:
    """What an instrument was called, and when, in order of time."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(SymbolPeriod)) as cursor,
    ):
        return cursor.execute(_SYMBOLS, [instrument_id]).fetchall()


def _stored(row: TupleRow) -> StoredInstrument:
    name, *values = row
    return StoredInstrument(
        id=name, instrument=Instrument(**dict(zip(_FIELDS, values, strict=True)))
    )
