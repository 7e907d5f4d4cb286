"""How the database does: its schema, its size, and what services said of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from database.connection import open_database
from database.live.crashes import crashing
from database.live.heartbeats import heartbeats
from trading.operations.crashes import Crashes
from trading.operations.health import ServiceRow

_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What was found.

    Attributes:
        bytes: What it takes on disk.
        services: Of each service the instances of the last day.
        crashing: Processes that crash as soon as they are begun.
        open_gaps: Sessions that lack bars.
        last_load: When bars were last loaded; None for never.
        unsent: Notifications that wait for longer than five minutes.
    """

    bytes: int
    services: tuple[ServiceRow, ...]
    crashing: tuple[Crashes, ...]
    open_gaps: int
    last_load: datetime | None
    unsent: int


def database_state(url: str) -> DatabaseState:
    """Look at the database.

    Raises:
        DatabaseError: It cannot be reached, or its schema is not this program's.
    """
    with open_database(url) as database, database.transaction() as rows:
        down = tuple(crashing(database))
        services = tuple(
            (one.service, one.instance, one.started_at, one.beat_at, one.state)
            for one in heartbeats(database)
            if one.age_seconds < _DAY_SECONDS
        )
        row = rows.execute(
            "SELECT pg_database_size(current_database()), "
            "(SELECT count(*) FROM gap WHERE state = 'open'), "
            "(SELECT max(ended_at) FROM load_run WHERE status = 'loaded'), "
            "(SELECT count(*) FROM notification WHERE state = 'waiting' "
            "AND not_before < now() - interval '5 minutes')"
        ).fetchone()
    size, gaps, load, unsent = row or (0, 0, None, 0)
    return DatabaseState(size, services, down, gaps, load, unsent)
