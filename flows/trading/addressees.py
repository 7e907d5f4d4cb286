"""Whom flows tell."""

from database.alerts.addressees import addressees_known
from database.alerts.evaluation import Addressees
from database.connection import Database
from flows.boundary.settings import settings
from trading.alerts.delivery import quiet_hours


def addressees(database: Database) -> Addressees:
    """The channels of TRADING_NOTIFY; where it is not set, those of `trading live alerts`.

    A flow run needs their names alone: its texts go into the outbox, and that process sends them.

    Raises:
        DatabaseError: The database does not answer.
    """
    if not settings().notify:
        return addressees_known(database)
    asked = settings().notify_quiet
    return Addressees(tuple(settings().notify), quiet_hours(asked) if asked else None)
