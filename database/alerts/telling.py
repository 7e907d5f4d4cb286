"""What there is to tell: into the log and the outbox, within the transaction that it comes of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import psycopg
from psycopg.rows import TupleRow

from trading.alerts.delivery import QuietHours, not_before, quiet_hours
from trading.alerts.machine import Change
from trading.instruments.clock import moment_of

Connection = psycopg.Connection[TupleRow]

_LOG = """
INSERT INTO alert_event (rule, subject, kind, severity, message, at, identity)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (identity) DO NOTHING RETURNING id
"""

_NOTIFY = """
INSERT INTO notification (event_id, channel, title, body, identity, state, not_before)
VALUES (%s, %s, %s, %s, %s, 'waiting', %s) ON CONFLICT (identity) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Addressees:
    """Who is told.

    Attributes:
        channels: The channels there are, by name.
        quiet: When only what is critical is sent.
    """

    channels: tuple[str, ...] = ()
    quiet: QuietHours | None = None

    @classmethod
    def of(cls, channels: Iterable[str], quiet: str | None) -> Self:
        """Those of the settings: names of channels, and quiet hours as people write them.

        Raises:
            ParameterError: The quiet hours are none.
        """
        return cls(tuple(channels), quiet_hours(quiet) if quiet else None)


def tell_change(
    connection: Connection,
    change: Change,
    addressees: Addressees,
    now: datetime,
    *,
    channels: Sequence[str] = (),
    notifies: bool = True,
) -> bool:
    """Store what there is to tell and for whom, within a transaction; whether that is new.

    `trading live alerts` publishes and sends it.

    Args:
        connection: In a transaction.
        change: What there is to tell.
        addressees: Who is told.
        now: The time on the wall.
        channels: The channels that are told; none named: all.
        notifies: Whether people are told, too, and not the log and the bus alone.
    """
    row = connection.execute(
        _LOG,
        [
            change.rule, change.subject, change.kind, change.severity, change.message,
            moment_of(change.at), change.identity,
        ],
    ).fetchone()  # fmt: skip
    if row is None:
        return False
    if not notifies:
        return True
    title = f"[{change.severity}] {change.rule} {change.kind}: {change.subject}"
    first = not_before(now, change.severity, addressees.quiet)
    for channel in channels or addressees.channels:
        values = [row[0], channel, title, change.message, f"{change.identity}:{channel}", first]
        connection.execute(_NOTIFY, values)
    return True
