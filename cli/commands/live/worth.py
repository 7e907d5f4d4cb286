"""What the paper account is worth while `trading live` runs."""

from __future__ import annotations

import time
from decimal import Decimal

from database.connection import Database
from database.orders.equity import last_equity

_LOOK_SECONDS = 1.0


class Worth:
    """An account's equity, looked up now and then.

    Args:
        database: Where the account is.
        account: Its name; it may not be there yet.
    """

    def __init__(self, database: Database, account: str) -> None:
        self.account = account
        self.equity: Decimal | None = None
        self._database = database
        self._look_at = 0.0
        before = last_equity(database, account)
        self._before = None if before is None else before.equity

    def look(self, *, now: bool = False) -> None:
        """Look it up when it is time, or now.

        Raises:
            DatabaseError: The database is gone.
        """
        if not now and time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_SECONDS
        point = last_equity(self._database, self.account)
        if point is not None:
            self.equity = point.equity
            if self._before is None:
                self._before = point.deposits

    @property
    def profit(self) -> Decimal | None:
        """What has been won since this command began; None before there is an equity."""
        if self.equity is None or self._before is None:
            return None
        return self.equity - self._before
