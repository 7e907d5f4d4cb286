"""The states of an order and the closed table of how one follows another."""

from __future__ import annotations

from enum import StrEnum

from trading.errors import TradingError


class OrderState(StrEnum):
    """Where an order stands."""

    INITIALIZED = "INITIALIZED"
    DENIED = "DENIED"
    """Refused by our own gate; never sent."""
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    """Refused by the broker."""
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def is_end(self) -> bool:
        """Whether nothing more is expected of the order."""
        return not TRANSITIONS[self]


_S = OrderState
_ENDS_OF_WORKING = {_S.FILLED, _S.CANCELED, _S.EXPIRED}

TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    _S.INITIALIZED: frozenset({_S.DENIED, _S.SUBMITTED}),
    _S.SUBMITTED: frozenset({_S.ACCEPTED, _S.REJECTED, _S.PARTIALLY_FILLED, *_ENDS_OF_WORKING}),
    _S.ACCEPTED: frozenset(
        {_S.PARTIALLY_FILLED, _S.PENDING_CANCEL, _S.REJECTED, *_ENDS_OF_WORKING}
    ),
    _S.PARTIALLY_FILLED: frozenset({_S.PARTIALLY_FILLED, _S.PENDING_CANCEL, *_ENDS_OF_WORKING}),
    _S.PENDING_CANCEL: frozenset({_S.CANCELED, _S.FILLED, _S.ACCEPTED, _S.PARTIALLY_FILLED}),
    **{end: frozenset() for end in (_S.DENIED, _S.REJECTED, *_ENDS_OF_WORKING)},
}
"""From each state, those that may follow; out of an end there is no way."""


class TransitionError(TradingError):
    """An order cannot go from the one state to the other."""

    def __init__(self, before: OrderState, after: OrderState) -> None:
        self.before = before
        self.after = after
        super().__init__(f"An order that is {before} cannot become {after}.")

    def __reduce__(self) -> tuple[type[TransitionError], tuple[OrderState, OrderState]]:
        return type(self), (self.before, self.after)


def transition(before: OrderState, after: OrderState) -> OrderState:
    """The state after, when the table has that step.

    Raises:
        TransitionError: It has not.
    """
    if after not in TRANSITIONS[before]:
        raise TransitionError(before, after)
    return after
