"""What a fan-out knows of each of its children while they are on their way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prefect.client.schemas.objects import FlowRun, State, StateType

from fanout.children import OUTCOMES, Child, ChildResult, Outcome
from fanout.decisions import Attempt

BROKEN_OFF = (StateType.CRASHED, StateType.CANCELLED)
"""Final states that a process does not always come to set itself."""


@dataclass(slots=True, eq=False)
class Tracked:
    """One child and what is known of its latest run."""

    child: Child
    attempt: int = 0
    tried_here: int = 0
    inherited: bool = False
    stale: bool = False
    run: FlowRun | None = None
    since: float = 0.0
    pending_since: float | None = None
    known_to_wait: bool = False
    value: Any = None
    verdict: Outcome | None = None
    message: str = ""
    counted: bool = False

    @property
    def latest(self) -> Attempt | None:
        """Its latest run, as the decisions see it."""
        if self.run is None:
            return None
        return Attempt(self.attempt, self.run.id, self.run.state_type, self.inherited, self.stale)

    @property
    def unfinished(self) -> bool:
        """Whether it has a run that has not ended, as far as is known."""
        if self.run is None or self.verdict is not None:
            return False
        return self.run.state_type not in OUTCOMES

    @property
    def broke_off(self) -> bool:
        """Whether its run's process is known to have ended before its flow did."""
        return self.run is not None and self.run.state_type in BROKEN_OFF

    def record_state(self, state: State[Any] | None) -> None:
        """Note the state in which its run was found."""
        if self.run is not None and state is not None:
            self.run.state, self.run.state_type = state, state.type

    def result(self) -> ChildResult:
        """What became of it."""
        outcome = self.verdict
        message = self.message
        if outcome is None and self.run is not None and self.run.state_type is not None:
            outcome = OUTCOMES[self.run.state_type]
            message = (self.run.state.message if self.run.state else None) or ""
        return ChildResult(
            child=self.child,
            outcome=outcome or Outcome.NOT_CREATED,
            flow_run_id=self.run.id if self.run else None,
            attempts=self.attempt,
            message=message,
            value=self.value,
        )
