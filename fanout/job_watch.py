"""Watching children in jobs of their own: all of them in one request, however many there are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelled, InfrastructurePending

from fanout import runs
from fanout.children import FanOutPolicy, Outcome
from fanout.tracked import Tracked

INSPECT_SECONDS = 30.0
"""Longest pause between two looks at the runs that have not ended."""

POD_IS_PENDING = InfrastructurePending().name
"""The state in which a Kubernetes worker shows a run whose pod exists and has not started."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the waiting children found, beside those that ended by themselves.

    Attributes:
        gone: Their process ended before their flow did, so what it executed is nobody's now.
        unstarted: A worker took them, and nothing came of it for too long.
        waiting: Their job has waited that long for its place, and goes on waiting.
        overdue: They have taken too long.
    """

    gone: list[Tracked] = field(default_factory=list)
    unstarted: list[Tracked] = field(default_factory=list)
    waiting: list[Tracked] = field(default_factory=list)
    overdue: list[Tracked] = field(default_factory=list)


@dataclass(slots=True)
class JobWatch:
    """The watch over one parent's jobs.

    Attributes:
        client: The API client.
        policy: The limits.
        queued_elsewhere: Whether what a worker makes of a run waits for its place outside the
            worker, as a Kubernetes Job does for a node. A second one would wait behind it.
        inspected_at: When it last looked at the runs that have not ended.
    """

    client: PrefectClient
    policy: FanOutPolicy
    queued_elsewhere: bool = False
    inspected_at: float = field(default_factory=time.monotonic)

    async def look(self, waiting: Sequence[Tracked]) -> Look:
        """Note which of the runs have ended, and what is wrong with those that have not."""
        by_id = {t.run.id: t for t in waiting if t.run}
        ended = await runs.read_ended(self.client, list(by_id))
        look = Look()
        for run_id, t in by_id.items():
            if t.inherited:
                # From now on its end is this execution's affair.
                t.inherited, t.tried_here, t.since = False, 1, time.monotonic()
            if run_id in ended:
                t.record_state(ended[run_id].state)
                if t.broke_off:
                    look.gone.append(t)
        await self._inspect([t for t in by_id.values() if t.unfinished], look)
        self._judge_time([t for t in by_id.values() if t.unfinished], look)
        return look

    async def _inspect(self, waiting: Sequence[Tracked], look: Look) -> None:
        """Find, once in a while, the runs that will never end by themselves."""
        deadline = self.policy.pending_deadline_seconds
        pause = INSPECT_SECONDS if deadline is None else min(INSPECT_SECONDS, deadline / 4)
        if time.monotonic() - self.inspected_at < pause:
            return
        self.inspected_at = time.monotonic()
        known = await runs.read_runs(self.client, [t.run.id for t in waiting if t.run])
        for t in waiting:
            found = known.get(t.run.id) if t.run else None
            if found is None:
                t.record_state(Cancelled(message="Its run was deleted on the server."))
            elif not self._is_late(t, found):
                continue
            elif not self._has_a_job(found):
                look.unstarted.append(t)
            elif not t.known_to_wait:
                t.known_to_wait = True
                look.waiting.append(t)

    def _is_late(self, t: Tracked, found: FlowRun) -> bool:
        """Whether it has been Pending for too long, by this machine's clock."""
        if found.state_type is not StateType.PENDING:
            t.pending_since, t.known_to_wait = None, False
            return False
        t.pending_since = t.pending_since or time.monotonic()
        limit = self.policy.pending_deadline_seconds
        return limit is not None and time.monotonic() - t.pending_since > limit

    def _has_a_job(self, found: FlowRun) -> bool:
        """Whether there is something, outside the worker, that can still start the run.

        The worker notes the job's name in the run; of a run that has been started before it may
        be the old job's. Then only the state counts that Kubernetes' pods give their runs.
        """
        noted = found.infrastructure_pid is not None and found.run_count == 0
        shown = found.state is not None and found.state.name == POD_IS_PENDING
        return self.queued_elsewhere and (noted or shown)

    def _judge_time(self, waiting: Sequence[Tracked], look: Look) -> None:
        deadline = self.policy.child_deadline_seconds
        if deadline is None:
            return
        for t in waiting:
            if time.monotonic() - t.since > deadline:
                t.verdict = Outcome.OVERDUE
                t.message = f"It did not end within {deadline:g} s and was cancelled."
                look.overdue.append(t)
