"""What a consumer of the bus has to know to go on after its end."""

from __future__ import annotations

from dataclasses import dataclass

from database.connection import Database

_SAVE = """
INSERT INTO consumer_state (consumer, shard, bus_offset, state, saved_at)
VALUES (%s, %s, %s, %s, now())
ON CONFLICT (consumer, shard) DO UPDATE
SET (bus_offset, state, saved_at) = ROW (excluded.bus_offset, excluded.state, excluded.saved_at)
"""


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """A state and the place in the bus that it is of.

    Attributes:
        offset: The place after the last event that it has taken in.
        state: The consumer's own bytes.
    """

    offset: str
    state: bytes


def load_state(database: Database, consumer: str, shard: str = "") -> ConsumerState | None:
    """The state that was saved last; None when none was."""
    with database.transaction() as connection:
        row = connection.execute(
            "SELECT bus_offset, state FROM consumer_state WHERE consumer = %s AND shard = %s",
            [consumer, shard],
        ).fetchone()
    return None if row is None else ConsumerState(str(row[0]), bytes(row[1]))


def save_state(database: Database, consumer: str, state: ConsumerState, shard: str = "") -> None:
    """Save a state in place of the one before.

    Raises:
        DatabaseError: The database did not take it; the one before is still there.
    """
    with database.transaction() as connection:
        connection.execute(_SAVE, [consumer, shard, state.offset, state.state])


def hold_alone(database: Database, consumer: str) -> bool:
    """Be the only process that is this consumer, for as long as the connection lives.

    Returns:
        False when another process is it now.
    """
    with database.transaction() as connection:
        row = connection.execute(
            "SELECT pg_try_advisory_lock(hashtext('consumer'), hashtext(%s))", [consumer]
        ).fetchone()
    return row is not None and bool(row[0])


def commit_before_disk(database: Database) -> None:
    """Let this connection's commits return before they are on disk.

    For a consumer whose rows and state are committed in order: after a crash of the machine the
    last moments of both are gone together, and it makes them again from the bus. A crash of the
    server or of a process loses nothing.
    """
    with database.transaction() as connection:
        connection.execute("SET SESSION synchronous_commit TO off")
