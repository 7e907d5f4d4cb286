"""The tables of reference data in the lake: `reference/{instruments, symbol_history, actions}`.

Each is one Parquet file that is read and written whole. They are small, and one command writes them
at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from lake.files import FileLineage, read_file, write_file
from storage.directory import Directory
from storage.errors import ContentError
from trading.errors import TradingError
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.history import SymbolHistory, SymbolPeriod
from trading.instruments.instrument import Instrument

FOLDER, DATASET, EVERY = "reference", "reference", "*"

INSTRUMENTS, HISTORY, ACTIONS = "instruments", "symbol_history", "actions"

_SCHEMAS = {
    INSTRUMENTS: pa.schema(
        [
            ("symbol", pa.string()),
            ("name", pa.string()),
            ("kind", pa.string()),
            ("exchange", pa.string()),
            ("sector", pa.string()),
            ("calendar", pa.string()),
            ("increment", pa.string()),
            ("listed", pa.date32()),
            ("delisted", pa.date32()),
            ("identifier", pa.string()),
        ]
    ),
    HISTORY: pa.schema(
        [
            ("symbol", pa.string()),
            ("instrument", pa.string()),
            ("first", pa.date32()),
            ("last", pa.date32()),
        ]
    ),
    ACTIONS: pa.schema(
        [
            ("symbol", pa.string()),
            ("kind", pa.string()),
            ("ex_date", pa.date32()),
            ("value", pa.float64()),
            ("currency", pa.string()),
            ("known_at", pa.timestamp("us", "UTC")),
        ]
    ),
}


def read_instruments(directory: Directory) -> tuple[Instrument, ...]:
    """All instruments; none without the table.

    Raises:
        ContentError: The table is damaged.
        StorageError: It cannot be read.
    """
    return tuple(
        Instrument(**row | {"increment": Decimal(row["increment"])})
        for row in _rows(directory, INSTRUMENTS)
    )


def write_instruments(directory: Directory, instruments: Sequence[Instrument]) -> None:
    """Replace the table of instruments.

    Raises:
        StorageError: It cannot be written.
    """
    rows = [
        {name: getattr(i, name) for name in _SCHEMAS[INSTRUMENTS].names}
        | {"increment": str(i.increment)}
        for i in sorted(instruments, key=lambda i: (i.symbol, i.listed or date.min))
    ]
    _replace(directory, INSTRUMENTS, rows)


def read_history(directory: Directory) -> SymbolHistory:
    """The history of the symbols; an empty one without the table.

    Raises:
        ContentError: The table is damaged or contradicts itself.
        StorageError: It cannot be read.
    """
    rows = _rows(directory, HISTORY)
    try:
        return SymbolHistory(tuple(SymbolPeriod(**row) for row in rows))
    except TradingError as error:
        raise _wrong(directory, HISTORY, str(error)) from error


def write_history(directory: Directory, history: SymbolHistory) -> None:
    """Replace the history of the symbols.

    Raises:
        StorageError: It cannot be written.
    """
    ordered = sorted(history.periods, key=lambda p: (p.symbol, p.first or date.min))
    names = _SCHEMAS[HISTORY].names
    _replace(directory, HISTORY, [{n: getattr(p, n) for n in names} for p in ordered])


def read_actions(directory: Directory, symbol: str | None = None) -> tuple[CorporateAction, ...]:
    """Splits and dividends, in order of symbol and ex-date; none without the table.

    Args:
        directory: The lake.
        symbol: Only of this symbol.

    Raises:
        ContentError: The table is damaged.
        StorageError: It cannot be read.
    """
    rows = _rows(directory, ACTIONS)
    try:
        return tuple(
            CorporateAction(**row | {"kind": ActionKind(row["kind"])})
            for row in rows
            if symbol in {None, row["symbol"]}
        )
    except (TradingError, ValueError) as error:
        raise _wrong(directory, ACTIONS, str(error)) from error


def write_actions(directory: Directory, actions: Sequence[CorporateAction]) -> None:
    """Replace the table of actions.

    Raises:
        StorageError: It cannot be written.
    """
    ordered = sorted(actions, key=lambda a: (a.symbol, a.ex_date, a.kind))
    rows = [
        {
            "symbol": a.symbol,
            "kind": a.kind.value,
            "ex_date": a.ex_date,
            "value": a.value,
            "currency": a.currency,
            "known_at": None if a.known_at is None else a.known_at.astimezone(UTC),
        }
        for a in ordered
    ]
    _replace(directory, ACTIONS, rows)


def _rows(directory: Directory, table: str) -> list[dict[str, Any]]:
    name = f"{FOLDER}/{table}.parquet"
    if directory.identity(name) is None:
        return []
    content = read_file(directory, name, DATASET, EVERY).table
    missing = [column for column in _SCHEMAS[table].names if column not in content.column_names]
    if missing:
        raise _wrong(directory, table, f"it has no column {missing[0]}")
    rows: list[dict[str, Any]] = content.select(_SCHEMAS[table].names).to_pylist()
    return rows


def _replace(directory: Directory, table: str, rows: list[dict[str, Any]]) -> None:
    known = hashlib.blake2b(repr(rows).encode(), digest_size=16).hexdigest()
    content = pa.Table.from_pylist(rows, schema=_SCHEMAS[table])
    name = f"{FOLDER}/{table}.parquet"
    write_file(directory, name, content, FileLineage(DATASET, EVERY, known, ""))


def _wrong(directory: Directory, table: str, problem: str) -> ContentError:
    url = directory.url_of(f"{FOLDER}/{table}.parquet")
    return ContentError(url, problem.rstrip("."), "correct the table, or remove it")
