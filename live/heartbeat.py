"""A process's heartbeat in the database."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from database.connection import Database
from database.live.heartbeats import ServiceState, beat

BEAT_SECONDS = 2.0
"""How often; who has said nothing for several times as long is taken for dead."""


class Heart:
    """The heartbeat of one process.

    Args:
        database: Where they go.
        service: What the process is, e.g. `windows`.
    """

    def __init__(self, database: Database, service: str) -> None:
        self._database = database
        self._service = service
        self._instance = f"{socket.gethostname()}:{os.getpid()}"
        self._started_at = datetime.now(UTC)
        self._next = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() >= self._next

    def beat(
        self, detail: Mapping[str, Any], state: ServiceState = "running", *, now: bool = False
    ) -> None:
        """Send it when it is due, or now.

        Args:
            detail: The process's figures, as JSON can hold them.
            state: How it is.
            now: Whether to send it even if it is not due.

        Raises:
            DatabaseError: The database did not take it.
        """
        if now or self.is_due:
            self._next = time.monotonic() + BEAT_SECONDS
            beat(
                self._database, self._service, self._instance,
                started_at=self._started_at, state=state, detail=detail,
            )  # fmt: skip
