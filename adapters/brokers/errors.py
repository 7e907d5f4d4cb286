"""How a request to a broker can end other than well; no message holds a key.

BrokerError
├── OrderRejectedError      the broker will not do it; trying again gives the same answer
├── DuplicateOrderError     it has an order of that name already: look it up
├── OutcomeUnknownError     nobody can say whether it was done: look it up
└── BrokerAccessError       it refuses our keys, or the account
"""

from __future__ import annotations

from trading.errors import TradingError


class BrokerError(TradingError):
    """Base of what brokers answer but what was asked for."""


class OrderRejectedError(BrokerError):
    """The broker refuses the request for good.

    Args:
        reason: Why, in its words.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class DuplicateOrderError(BrokerError):
    """The broker has an order of that name."""


class OutcomeUnknownError(BrokerError):
    """The request may or may not have been done.

    Args:
        reason: What happened to it.
        retry_after: Seconds that the broker asks to wait; None when it does not say.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(reason)


class BrokerAccessError(BrokerError):
    """The broker does not let us in."""
