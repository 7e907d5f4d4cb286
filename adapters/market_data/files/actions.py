"""The table of splits and dividends beside the files of bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from adapters.market_data.files.tables import read_table
from trading.errors import DataError, ParameterError
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.clock import parse_timestamp
from trading.instruments.symbols import checked_contract

ACTIONS = "_actions"
"""Name of the table without its ending; no symbol begins like that."""

_NEEDED = ("symbol", "ex_date", "kind", "value")
_OPTIONAL = ("currency", "known_at")


def read_actions(name: str, content: bytes, file: str) -> tuple[CorporateAction, ...]:
    """All splits and dividends of a table.

    Args:
        name: Its name.
        content: Its bytes.
        file: What to call it in an error.

    Raises:
        DataError: A column lacks or a value makes no sense; the message names the row.
    """

    def choose(names: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        missing = [column for column in _NEEDED if column not in names]
        if missing:
            problem = f"it has no column {' and '.join(missing)}"
            raise DataError(file, problem, f"name the columns {', '.join(_NEEDED)}")
        texts = ("symbol", "ex_date", "kind", *(c for c in _OPTIONAL if c in names))
        return texts, ("value",)

    table: pa.Table = read_table(name, content, file, choose)
    return tuple(_action(row, number, file) for number, row in enumerate(table.to_pylist(), 1))


def _action(row: Mapping[str, Any], number: int, file: str) -> CorporateAction:
    try:
        return CorporateAction(
            symbol=checked_contract(row["symbol"]),
            kind=ActionKind(row["kind"]),
            ex_date=_date(row["ex_date"]),
            value=float(row["value"]),
            currency=row.get("currency") or "USD",
            known_at=_moment(row.get("known_at")),
        )
    except (ParameterError, DataError, TypeError, ValueError) as error:
        problem = f"row {number} is no split and no dividend ({str(error)[:160].rstrip('.')})"
        raise DataError(file, problem, "correct the row") from error


def _date(value: object) -> date:
    return value if type(value) is date else date.fromisoformat(str(value))


def _moment(value: datetime | str | None) -> datetime | None:
    return None if value is None else parse_timestamp(value, "known_at")
