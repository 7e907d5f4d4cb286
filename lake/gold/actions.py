"""The table of corporate actions, `reference/actions.parquet`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from storage.directory import Directory
from storage.errors import ContentError
from trading.instruments.actions import ActionKind, CorporateAction

ACTIONS = "reference/actions.parquet"

SCHEMA = pa.schema(
    [
        pa.field("symbol", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("ex_date", pa.date32()),
        pa.field("value", pa.float64()),
        pa.field("currency", pa.string()),
        pa.field("known_at", pa.timestamp("us", "UTC")),
    ]
)
"""Its columns; `known_at` is null where the source does not say."""


def read_actions(directory: Directory) -> tuple[CorporateAction, ...]:
    """The actions of all symbols; none when there is no table.

    Raises:
        ContentError: The file is no table of actions.
        DataError: A value is not positive.
        StorageError: It cannot be read.
    """
    if directory.identity(ACTIONS) is None:
        return ()
    content = directory.read_bytes(ACTIONS)
    try:
        table = pq.read_table(pa.BufferReader(content), columns=SCHEMA.names).cast(SCHEMA)
        rows = table.to_pylist()
        return tuple(map(_action, rows))
    except (pa.ArrowException, OSError, KeyError, TypeError) as error:
        raise ContentError(
            directory.url_of(ACTIONS),
            "it is no table of corporate actions",
            f"write the columns {', '.join(SCHEMA.names)}, or remove it",
        ) from error


def actions_table(actions: Iterable[CorporateAction]) -> pa.Table:
    """Actions as the table's rows."""
    rows = [
        {
            "symbol": action.symbol,
            "kind": action.kind.value,
            "ex_date": action.ex_date,
            "value": action.value,
            "currency": action.currency,
            "known_at": action.known_at,
        }
        for action in actions
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def action_evidence(actions: Iterable[CorporateAction]) -> list[list[Any]]:
    """What of actions changes adjusted bars, as JSON can hold it."""
    return [[a.kind.value, a.ex_date.isoformat(), a.value, a.currency] for a in actions]


def _action(row: Mapping[str, Any]) -> CorporateAction:
    known: datetime | None = row["known_at"]
    return CorporateAction(
        symbol=row["symbol"],
        kind=ActionKind(row["kind"]),
        ex_date=row["ex_date"],
        value=row["value"],
        currency=row["currency"] or "USD",
        known_at=None if known is None else known.astimezone(UTC),
    )
