"""What to do about a child, as a function of what the server says of its latest run.

Pure: the loop that acts on the answers is in `run_set`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, StateType

from fanout.children import OUTCOMES, FanOutPolicy, Outcome, Placement


class Step(Enum):
    """What the parent does next about one child."""

    CREATE = auto()
    """Create a (further) flow run for it."""
    EXECUTE = auto()
    """Execute its existing, not yet started run in this process."""
    WAIT = auto()
    """Its run is in a job of its own; look again later."""
    ABANDON = auto()
    """Its run was being executed by a process that is gone: mark it crashed, then decide again."""
    END = auto()
    """Nothing more will be tried."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The latest run of a child, as far as the parent knows it.

    Attributes:
        number: 1 for the first flow run of this child under this parent, and so on.
        flow_run_id: The run.
        state_type: Its state, None when it has none.
        inherited: Whether an earlier execution of the parent made it.
        stale: Whether it completed, but its work has to be done again.
    """

    number: int
    flow_run_id: UUID
    state_type: StateType | None
    inherited: bool
    stale: bool = False


def next_step(
    latest: Attempt | None, placement: Placement, policy: FanOutPolicy, tried_here: int
) -> Step:
    """Decide what to do about one child.

    Args:
        latest: Its latest run, None when it has none.
        placement: Where its runs execute.
        policy: The limits.
        tried_here: How many runs this execution of the parent has made for it.
    """
    if latest is None:
        return Step.CREATE
    outcome = OUTCOMES.get(latest.state_type) if latest.state_type else None
    if outcome is None:
        return _step_of_unfinished(latest, placement)
    if outcome is Outcome.COMPLETED and not latest.stale:
        return Step.END
    # Whoever retries a parent asks for what its earlier execution did not finish.
    crashed_again = outcome is Outcome.CRASHED and tried_here < policy.max_attempts
    return Step.CREATE if latest.inherited or crashed_again else Step.END


def _step_of_unfinished(latest: Attempt, placement: Placement) -> Step:
    if placement is Placement.JOB:
        return Step.WAIT
    executed_elsewhere = latest.inherited and latest.state_type is not StateType.PENDING
    return Step.ABANDON if executed_elsewhere else Step.EXECUTE


def idempotency_key(parent_flow_run_id: UUID, child_key: str, attempt: int) -> str:
    """The key under which the server knows one attempt of one child of one parent.

    The child's key comes last: it may hold any character, the separators cannot be confused.
    """
    return f"{parent_flow_run_id}:{attempt}:{child_key}"


def parent_of(run: FlowRun) -> UUID | None:
    """The flow run that fanned out a run; None for a run that no fan-out created."""
    parent, _, attempt = (run.idempotency_key or "").partition(":")
    try:
        return UUID(parent) if attempt.partition(":")[0].isdecimal() else None
    except ValueError:
        return None


def latest_attempts(
    parent_flow_run_id: UUID, runs: list[FlowRun]
) -> dict[str, tuple[int, FlowRun]]:
    """The latest attempt of each child among a parent's existing runs, by child key.

    Runs that another program created under the same parent are left out.
    """
    latest: dict[str, tuple[int, FlowRun]] = {}
    prefix = f"{parent_flow_run_id}:"
    for run in runs:
        key = run.idempotency_key or ""
        number, separator, child_key = key.removeprefix(prefix).partition(":")
        if not key.startswith(prefix) or not separator or not number.isdecimal():
            continue
        if child_key not in latest or latest[child_key][0] < int(number):
            latest[child_key] = (int(number), run)
    return latest
