"""What the executor tells people by itself, without a rule: halts that are done, odd orders."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Literal

from database.alerts.addressees import named_or_known
from database.alerts.telling import Addressees, Connection, tell_change
from trading.alerts.machine import Change
from trading.execution.desk import TrackedOrder
from trading.instruments.clock import nanoseconds_of
from trading.orders.history import FLAGS

LOG = logging.getLogger(__name__)


class AccountAlerts:
    """Puts alerts of one account into the outbox, in the transaction that they come of.

    So there is one for each such event, whenever the process dies: neither none nor two.

    Args:
        account: The account's name.
        addressees: Who is told; where nobody is named, whom the alerts' process tells.
    """

    def __init__(self, account: str, addressees: Addressees) -> None:
        self._account = account
        self._addressees = addressees

    def flagged(self, connection: Connection, before: TrackedOrder, after: TrackedOrder) -> None:
        """Tell of what a person must look at about an order, each flag once.

        Args:
            connection: In a transaction.
            before: The order as it was.
            after: The order as it is.
        """
        for flag in sorted({*after.status.flags} - {*before.status.flags}):
            order = after.intent.order
            said = f"Order {after.name} of {order.symbol} {FLAGS[flag]} ({flag})."
            identity = f"flag:{self._account}:{after.name}:{flag}"
            LOG.warning("%s", said)
            self._tell(connection, "order-flag", "warning", said, identity)

    def halted(self, connection: Connection, reason: str) -> None:
        """Tell that a halt is done.

        Args:
            connection: In the transaction that writes it down.
            reason: Why the account is halted.
        """
        said = f"Account {self._account} is HALTED: {reason}."
        identity = f"halted:{self._account}:{nanoseconds_of(datetime.now(UTC))}"
        self._tell(connection, "risk-state", "critical", said, identity)

    def _tell(
        self,
        connection: Connection,
        rule: str,
        severity: Literal["warning", "critical"],
        said: str,
        identity: str,
    ) -> None:
        # The time on the wall, in a replay of the past, too: people sleep by it.
        now = datetime.now(UTC)
        change = Change(
            rule=rule, subject=self._account, kind="firing", severity=severity, message=said,
            at=nanoseconds_of(now), identity=identity,
        )  # fmt: skip
        addressees = named_or_known(self._addressees, connection)
        tell_change(connection, change, addressees, now)
