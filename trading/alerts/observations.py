"""What rules look at beside bars and signals: the time, and surveys of the platform."""

from __future__ import annotations

from dataclasses import dataclass

from trading.alerts.rules import SurveyKind
from trading.events import BarClosed, SignalMade


@dataclass(frozen=True, slots=True)
class Clock:
    """A moment, and whether the exchange trades at it; nanoseconds since 1970 in UTC.

    Attributes:
        at: The moment.
        session_open: When the session that runs began; None between sessions.
    """

    at: int
    session_open: int | None


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of one thing.

    Attributes:
        subject: What of, e.g. an account, a service, a session of a symbol.
        is_wrong: Whether there is something to tell.
        episode: What tells one wrong state from another, e.g. `HALTED` from `REDUCING`.
        detail: What to say of it, without a stop.
        seconds: How long it has been silent, where that is the question.
    """

    subject: str
    is_wrong: bool
    detail: str
    episode: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything of one kind there is to find at a moment: what it does not name is in order.

    Attributes:
        kind: Of which rules.
        at: When, in nanoseconds since 1970 in UTC.
        findings: One for each subject at most.
    """

    kind: SurveyKind
    at: int
    findings: tuple[Finding, ...]


Observation = BarClosed | SignalMade | Clock | Survey
"""Any of what rules look at."""
