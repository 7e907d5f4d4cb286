"""The loop behind `fan_out`: asks `decisions` about each child and does what they say."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import TerminationSignal
from prefect.logging import get_run_logger
from prefect.states import Cancelled

from fanout import runs
from fanout.children import Child, FanOutPolicy, Outcome, Placement, Progress, RunSet
from fanout.creation import RunCreation
from fanout.decisions import Step, latest_attempts, next_step
from fanout.inline_execution import InlineExecution
from fanout.job_watch import JobWatch
from fanout.orphans import end_below, mark_crashed
from fanout.prefect_engine import bulk
from fanout.prefect_engine.inline import InlineClient
from fanout.tracked import Tracked

Satisfied = Callable[[Sequence[Child]], Collection[str]]
OnProgress = Callable[[Progress], Awaitable[None]]

CLEAN_UP_SECONDS = 20.0
"""How long a parent that is being stopped may take to cancel its children: less than the 30 s
after which Prefect kills its process."""

NAMED = 3
"""How many of the children that a message is about it names."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class FanOut:
    """One parent's children of one deployment, on their way to an end."""

    client: InlineClient
    parent: FlowRun
    deployment: str
    placement: Placement
    flow: Flow[..., Any] | None
    policy: FanOutPolicy
    satisfied: Satisfied | None
    on_progress: OnProgress | None
    open: list[Tracked] = field(default_factory=list)
    progress: Progress = field(default_factory=lambda: Progress(0))
    creation: RunCreation = field(init=False)
    creating: asyncio.Task[None] | None = None
    job_watch: JobWatch = field(init=False)
    inline: InlineExecution | None = None

    def __post_init__(self) -> None:
        self.job_watch = JobWatch(self.client, self.policy)
        if self.flow is not None:
            self.inline = InlineExecution(
                client=self.client,
                flow=self.flow,
                max_in_flight=self.policy.max_in_flight,
                on_end=self._note_end,
            )

    async def run(self, children: Sequence[Child]) -> RunSet:
        """Bring all children to an end; when interrupted, cancel those that have none."""
        tracked = [Tracked(child) for child in children]
        self.progress = Progress(len(tracked))
        try:
            await self._attach(tracked)
            # First what is under way already: it counts among the children in flight.
            waiting = deque(sorted(tracked, key=lambda t: not t.unfinished))
            while waiting or self.open:
                while waiting and len(self.open) < self._window():
                    self.open.append(waiting.popleft())
                await self._advance()
        except BaseException:
            await self._clean_up(tracked)
            raise
        return RunSet(tuple(t.result() for t in tracked))

    def _window(self) -> int:
        """How many children are looked after at once.

        Inline, a whole batch is created by one request before the first of it executes; the
        next batch, when this one has ended.
        """
        if self.placement is Placement.JOB:
            return self.policy.max_in_flight
        return bulk.CREATE_LIMIT

    async def _attach(self, tracked: list[Tracked]) -> None:
        """Find the deployment, the link to the parent, and runs of an earlier execution."""
        self.creation = await RunCreation.attached(
            self.client, self.parent, self.deployment, self.flow
        )
        if self.placement is Placement.JOB:
            self.job_watch.queued_elsewhere = await runs.queues_elsewhere(
                self.client, self.creation.target
            )
        if self.parent.run_count <= 1:
            return  # its first execution: it has no children yet
        existing = latest_attempts(
            self.parent.id, await runs.read_children(self.client, self.creation.link_id)
        )
        for t in tracked:
            if found := existing.get(t.child.key):
                t.attempt, t.run = found
                t.inherited = True
        await end_below(self.client, [t.run.id for t in tracked if t.run and t.broke_off])
        done = [t for t in tracked if t.run and t.run.state_type is StateType.COMPLETED]
        if self.satisfied is not None and done:
            there = await self._satisfied(self.satisfied, done)
            for t in done:
                t.stale = t.child.key not in there

    async def _advance(self) -> None:
        """One round: decide about every open child, then act on each group."""
        groups: dict[Step, list[Tracked]] = {step: [] for step in Step}
        await self._note_satisfied(self.open)
        for t in self.open:
            groups[self._decide(t)].append(t)
        if ended := groups[Step.END]:
            self.open = [t for t in self.open if t not in ended]
            for t in ended:
                await self._count(t)
        if lost := groups[Step.ABANDON]:
            await mark_crashed(self.client, lost, "The process that executed it is gone.")
        if due := groups[Step.CREATE]:
            # What the server was asked to create is waited for, even by a parent being cancelled.
            at_once = len(self.open) <= self.policy.max_in_flight
            self.creating = asyncio.create_task(self.creation.create(due, at_once=at_once))
            await asyncio.shield(self.creating)
        if (pending := groups[Step.EXECUTE]) and self.inline is not None:
            await self.inline.execute_all(pending)
        if running := groups[Step.WAIT]:
            await self._watch(running)

    def _decide(self, t: Tracked) -> Step:
        if t.verdict is not None:
            return Step.END
        return next_step(t.latest, self.placement, self.policy, t.tried_here)

    async def _note_satisfied(self, tracked: Sequence[Tracked]) -> None:
        """Note which children's work is there although their run crashed."""
        crashed = [
            t
            for t in tracked
            if t.verdict is None and t.run and t.run.state_type is StateType.CRASHED
        ]
        if self.satisfied is None or not crashed:
            return
        there = await self._satisfied(self.satisfied, crashed)
        for t in crashed:
            if t.child.key in there:
                t.verdict, t.message = Outcome.COMPLETED, "Its run crashed after the work was done."

    @staticmethod
    async def _satisfied(satisfied: Satisfied, tracked: Sequence[Tracked]) -> Collection[str]:
        """Ask once about all of them: it may read every result there is."""
        return await asyncio.to_thread(satisfied, [t.child for t in tracked])

    async def _watch(self, waiting: list[Tracked]) -> None:
        """Look after a pause what has become of the runs."""
        await asyncio.sleep(self.policy.poll_seconds)
        look = await self.job_watch.look(waiting)
        await end_below(self.client, [t.run.id for t in look.gone if t.run])
        if look.unstarted:
            limit = self.policy.pending_deadline_seconds
            unstarted = f"No worker made a job of it within {limit:g} s."
            await mark_crashed(self.client, look.unstarted, unstarted)
        if look.waiting:
            self._say_who_waits(look.waiting)
        if look.overdue:
            await self._cancel(look.overdue)

    def _say_who_waits(self, waiting: Sequence[Tracked]) -> None:
        names = ", ".join(t.child.name for t in waiting[:NAMED]) + ", ..." * (len(waiting) > NAMED)
        get_run_logger().warning(
            "%d jobs have waited for more than %g s to start, such as for a node with room or for "
            "their image, and go on waiting: %s",
            len(waiting),
            self.policy.pending_deadline_seconds,
            names,
        )

    async def _note_end(self, t: Tracked) -> None:
        """Count a child whose run has ended here, unless it gets another."""
        await self._note_satisfied([t])
        if self._decide(t) is Step.END:
            await self._count(t)

    async def _count(self, t: Tracked) -> None:
        if t.counted:
            return
        t.counted = True
        self.progress.ended[t.result().outcome] += 1
        if self.on_progress is not None:
            await self.on_progress(self.progress)

    async def _clean_up(self, tracked: Sequence[Tracked]) -> None:
        """Cancel what has not ended, whatever stops the parent; that is what it will report."""
        with anyio.move_on_after(CLEAN_UP_SECONDS, shield=True) as bound:
            try:
                await self._cancel_whatever_comes(tracked, bound)
            except Exception:  # noqa: BLE001 - nothing may take the place of what stops the parent
                _log.warning("Not all children could be cancelled.", exc_info=True)
        if bound.cancelled_caught:
            _log.warning("Not all children could be cancelled in %g s.", CLEAN_UP_SECONDS)
        if self.creating is not None:
            self.creating.cancel()

    async def _cancel_whatever_comes(
        self, tracked: Sequence[Tracked], bound: anyio.CancelScope
    ) -> None:
        """Cancel what has not ended, from the start again when that is interrupted.

        A parent is often stopped twice: it has just seen that its run is cancelled, and then
        comes the signal for its process. It raises where the process happens to be, or cancels
        every task, this one too.
        """
        while True:
            try:
                if self.creating is not None:
                    await asyncio.wait([self.creating])
                await self._cancel([t for t in tracked if t.unfinished])
            except (asyncio.CancelledError, TerminationSignal):
                if bound.cancel_called:
                    raise
            else:
                return

    async def _cancel(self, stopped: list[Tracked]) -> None:
        ids = [t.run.id for t in stopped if t.run]
        message = "Cancelled with its parent."
        if self.placement is Placement.JOB:
            await runs.cancel_jobs(self.client, ids, message)
            return
        # An engine that is interrupted calls its run crashed; here it was meant.
        gone = (*runs.CANCELLABLE, StateType.CRASHED)
        cancelled: State[None] = Cancelled(message=message)
        await runs.set_states(self.client, ids, cancelled, only=gone, force=True)
