"""The vocabulary of a fan-out: what a child is, where it runs, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import StateType


class Placement(StrEnum):
    """Where a child flow run executes."""

    INLINE = "inline"
    """In the parent's own process, by Prefect's flow engine."""

    JOB = "job"
    """In a job of its own, started by a worker of the deployment's work pool."""


@dataclass(frozen=True, slots=True)
class Child:
    """One child flow run that a parent wants done.

    Attributes:
        key: Identity within the parent's run set; equal keys are the same work.
        name: The flow run's name, for people.
        parameters: JSON-serialisable parameters of the deployment's flow.
        tags: Tags of the flow run, beside those of the deployment.
    """

    key: str
    name: str
    parameters: Mapping[str, Any]
    tags: tuple[str, ...] = ()


class Outcome(StrEnum):
    """What became of a child, once nothing more will be tried."""

    COMPLETED = "completed"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    NOT_CREATED = "not created"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class ChildResult:
    """The end of one child.

    Attributes:
        child: What was asked for.
        outcome: How its last attempt ended.
        flow_run_id: The last attempt's flow run; None when none could be created.
        attempts: How many flow runs it took, earlier executions of the parent included.
        message: The last state's message, or why there is no run.
        value: What the flow returned; only for children that ran inline in this process.
    """

    child: Child
    outcome: Outcome
    flow_run_id: UUID | None
    attempts: int
    message: str = ""
    value: Any = None


@dataclass(frozen=True, slots=True)
class RunSet:
    """All children of one fan-out, ended."""

    results: tuple[ChildResult, ...]

    @property
    def completed(self) -> tuple[ChildResult, ...]:
        """The children whose work is done."""
        return tuple(r for r in self.results if r.outcome is Outcome.COMPLETED)

    @property
    def unfinished(self) -> tuple[ChildResult, ...]:
        """The children whose work is not done, for whatever reason."""
        return tuple(r for r in self.results if r.outcome is not Outcome.COMPLETED)

    def counts(self) -> dict[Outcome, int]:
        """How many children ended how; outcomes that did not occur are left out."""
        return dict(Counter(r.outcome for r in self.results))


@dataclass(frozen=True, slots=True)
class FanOutPolicy:
    """Limits of one fan-out.

    Attributes:
        max_in_flight: Children created or executing at once; at most 200 for jobs, so that one
            request can ask for all of them.
        max_attempts: Flow runs one child may take in one execution of the parent before a
            crash is final. Failures are never resubmitted: they are the flow's own answer.
        poll_seconds: Pause between two looks at children in jobs of their own.
        child_deadline_seconds: How long one attempt in a job may take from its creation until
            it ends, queueing included; then it is cancelled and reported. None: no deadline.
        pending_deadline_seconds: How long a run may be Pending, taken by a worker, before a job
            is there for it; then it counts as crashed. A process pool's jobs have to be started by
            then, too; those of a cluster wait for their place, and the parent says so. None: for
            ever.
    """

    max_in_flight: int = 4
    max_attempts: int = 3
    poll_seconds: float = 2.0
    child_deadline_seconds: float | None = None
    pending_deadline_seconds: float | None = 600.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_in_flight <= 200:  # noqa: PLR2004 - the API's page size
            msg = f"max_in_flight={self.max_in_flight} is not between 1 and 200."
            raise ValueError(msg)
        if self.max_attempts < 1:
            msg = f"max_attempts={self.max_attempts} is not at least 1."
            raise ValueError(msg)


@dataclass(slots=True)
class Progress:
    """Counts of a fan-out under way."""

    total: int
    ended: Counter[Outcome] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """How many children have ended."""
        return sum(self.ended.values())


OUTCOMES: dict[StateType, Outcome] = {
    StateType.COMPLETED: Outcome.COMPLETED,
    StateType.FAILED: Outcome.FAILED,
    StateType.CRASHED: Outcome.CRASHED,
    StateType.CANCELLED: Outcome.CANCELLED,
}
"""Prefect's final states as outcomes."""
