"""What a notification channel is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one attempt.

    Attributes:
        outcome: `sent`: the other side took it. `refused`: it certainly did not, so that it may
            be sent again. `unknown`: it went out, or a part of it did, and no answer came.
        reason: Why it was not sent, without a secret; None when it was.
    """

    outcome: Literal["sent", "refused", "unknown"]
    reason: str | None = None


class Channel(Protocol):
    """Somewhere that notifications go."""

    def send(self, title: str, body: str) -> Delivery:
        """Send one notification; never raises for what the other side does."""
