"""The lock that lets one executor trade in an account, and how long another one is waited for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from database.connection import Database
from database.orders.accounts import only_executor
from servers.errors import USAGE, InUseError

OTHER_SECONDS = 3.0
"""How long an executor that was there before may take to end."""

LIVE_SECONDS = 10.0
"""The same for all of a `trading live` that was killed: its processes end after it."""

_POLL_SECONDS = 0.5


@contextlib.contextmanager
def alone(
    database: Database,
    account: str,
    seconds: float = OTHER_SECONDS,
    next_step: str = "pass another --account",
) -> Iterator[None]:
    """Be the only executor of an account.

    One that was killed is waited for: the database notices that its connection is gone.

    Args:
        database: Where the lock is.
        account: The account.
        seconds: How long another one is waited for.
        next_step: What the user can do beside stopping the other one.

    Raises:
        InUseError: Another one trades in the account, and goes on.
    """
    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as held:
        while not held.enter_context(only_executor(database, account)):
            if time.monotonic() > deadline:
                raise InUseError(
                    f"Another executor trades in {account}; stop it, or {next_step}.", USAGE
                )
            time.sleep(_POLL_SECONDS)
        yield
