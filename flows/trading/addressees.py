"""Whom flows tell."""

from database.alerts.addressees import named_or_known
from database.alerts.telling import Addressees
from database.connection import Database
from flows.boundary.settings import settings


def addressees(database: Database) -> Addressees:
    """The channels of TRADING_NOTIFY; where it is not set, those of `trading live alerts`.

    A flow run needs their names alone: its texts go into the outbox, and that process sends them.

    Raises:
        DatabaseError: The database does not answer.
    """
    named = Addressees.of(settings().notify, settings().notify_quiet)
    with database.transaction() as connection:
        return named_or_known(named, connection)
