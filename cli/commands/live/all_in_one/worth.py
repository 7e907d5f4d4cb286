"""What the paper account is worth while `trading live` runs."""

from __future__ import annotations

import contextlib
import time
from decimal import Decimal

from database.connection import Database, open_database
from database.errors import DatabaseError
from database.orders.equity import EquityPoint, last_equity
from live.bus.reconnection import PATIENCE_SECONDS

_LOOK_SECONDS = 1.0


class Worth:
    """An account's equity, looked up now and then.

    Args:
        url: The database that the account is in.
        account: Its name; it may not be there yet.

    Raises:
        DatabaseError: The database does not answer.
    """

    def __init__(self, url: str, account: str) -> None:
        self.account = account
        self.equity: Decimal | None = None
        self._url = url
        self._opened = contextlib.ExitStack()
        self._database: Database | None = None
        self._look_at = 0.0
        self._answered_at = time.monotonic()
        before = self._last()
        self._before = None if before is None else before.equity

    def look(self, *, now: bool = False) -> None:
        """Look it up when it is time, or now; while the database is away it stays as it was.

        Raises:
            DatabaseError: The database is away for longer than a bus may be.
        """
        if not now and time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_SECONDS
        try:
            point = self._last()
        except DatabaseError:
            self.close()
            if time.monotonic() - self._answered_at > PATIENCE_SECONDS:
                raise
            return
        self._answered_at = time.monotonic()
        if point is not None:
            self.equity = point.equity
            if self._before is None:
                self._before = point.deposits

    def close(self) -> None:
        """End the connection; safe to call twice."""
        self._database = None
        with contextlib.suppress(DatabaseError):
            self._opened.close()

    def _last(self) -> EquityPoint | None:
        if self._database is None:
            self._database = self._opened.enter_context(open_database(self._url))
        return last_equity(self._database, self.account)

    @property
    def profit(self) -> Decimal | None:
        """What has been won since this command began; None before there is an equity."""
        if self.equity is None or self._before is None:
            return None
        return self.equity - self._before
