"""The loop behind `fan_out`: asks `decisions` about each child and does what they say."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import anyio
from prefect import Flow
from prefect.client.schemas.actions import DeploymentFlowRunCreate
from prefect.client.schemas.objects import FlowRun, FlowRunPolicy, State, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import TerminationSignal
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Crashed, Pending, Running, Scheduled, to_state_create

from fanout import runs
from fanout.children import Child, FanOutPolicy, Outcome, Placement, Progress, RunSet
from fanout.decisions import Step, idempotency_key, latest_attempts, next_step
from fanout.inline import InlineClient, execute, retry_policy
from fanout.job_watch import JobWatch
from fanout.orphans import PLACEMENT_LABEL, end_below
from fanout.runs import Refusal
from fanout.tracked import Tracked

Satisfied = Callable[[Sequence[Child]], Collection[str]]
OnProgress = Callable[[Progress], Awaitable[None]]

LOOK_SECONDS = 1.0
"""How long a cancellation of a run that waits here for its execution may go unnoticed."""

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
    target: DeploymentResponse = field(init=False)
    link_id: UUID = field(init=False)
    looked_at: float = field(default_factory=time.monotonic)
    creation: asyncio.Task[None] | None = None
    job_watch: JobWatch = field(init=False)

    def __post_init__(self) -> None:
        self.job_watch = JobWatch(self.client, self.policy)

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
        return runs.CREATE_LIMIT

    async def _attach(self, tracked: list[Tracked]) -> None:
        """Find the deployment, the link to the parent, and runs of an earlier execution."""
        self.target = await runs.until_answered(self.client.deployment, self.deployment)
        if self.placement is Placement.JOB:
            self.job_watch.queued_elsewhere = await runs.queues_elsewhere(self.client, self.target)
        self.link_id = await runs.link_task_run(self.client, self.parent, self.deployment)
        if self.parent.run_count <= 1:
            return  # its first execution: it has no children yet
        existing = latest_attempts(
            self.parent.id, await runs.read_children(self.client, self.link_id)
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
            await self._mark_crashed(lost, "The process that executed it is gone.")
        if due := groups[Step.CREATE]:
            # What the server was asked to create is waited for, even by a parent being cancelled.
            self.creation = asyncio.create_task(self._create(due))
            await asyncio.shield(self.creation)
        if pending := groups[Step.EXECUTE]:
            await self._execute_all(pending)
        if running := groups[Step.WAIT]:
            await self._watch(running)

    def _decide(self, t: Tracked) -> Step:
        if t.verdict is not None:
            return Step.END
        return next_step(t.latest, self.placement, self.policy, t.tried_here)

    async def _create(self, due: list[Tracked]) -> None:
        """Create the next attempt of each, and learn what the server made of it."""
        state = self._first_state()
        requests = [self._request(t, state) for t in due]
        created = await runs.create_runs(self.client, self.target.id, requests)
        if self.placement is Placement.JOB:
            found = await runs.read_runs(self.client, [c for c in created if isinstance(c, UUID)])
        else:
            # Nobody but this process takes them on: they are what was asked for.
            found = {
                run_id: self._as_created(run_id, request, state)
                for run_id, request in zip(created, requests, strict=True)
                if isinstance(run_id, UUID)
            }
        for t, answer in zip(due, created, strict=True):
            if isinstance(answer, Refusal) or answer not in found:
                t.verdict = Outcome.NOT_CREATED
                t.message = answer.reason if isinstance(answer, Refusal) else "It was deleted."
                continue
            t.run = found[answer]
            t.attempt += 1
            t.tried_here += 1
            t.inherited = t.stale = False
            t.since, t.pending_since, t.known_to_wait = time.monotonic(), None, False

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

    def _first_state(self) -> State[None]:
        """The state in which a new run is created."""
        if self.placement is Placement.JOB:
            return Scheduled()
        # Where none has to wait for another they start now: one request less for each.
        at_once = len(self.open) <= self.policy.max_in_flight
        # Pending: no worker picks it up, and it never counts as late.
        return Running() if at_once else Pending()

    def _as_created(
        self, run_id: UUID, request: DeploymentFlowRunCreate, state: State[None]
    ) -> FlowRun:
        """A new inline run as the server holds it, without asking for it."""
        return FlowRun(
            id=run_id,
            flow_id=self.target.flow_id,
            deployment_id=self.target.id,
            name=request.name or "",
            parameters=self.target.parameters | (request.parameters or {}),
            tags=[*self.target.tags, *request.tags],
            labels=request.labels or {},
            state=state,
            state_type=state.type,
            empirical_policy=request.empirical_policy or FlowRunPolicy(),
            idempotency_key=request.idempotency_key,
            parent_task_run_id=self.link_id,
        )

    def _request(self, t: Tracked, state: State[None]) -> DeploymentFlowRunCreate:
        request = DeploymentFlowRunCreate(
            name=t.child.name,
            parameters=dict(t.child.parameters),
            tags=list(t.child.tags),
            state=to_state_create(state),
            idempotency_key=idempotency_key(self.parent.id, t.child.key, t.attempt + 1),
            parent_task_run_id=self.link_id,
            labels={PLACEMENT_LABEL: self.placement.value},
        )
        if self.flow is not None:
            request.empirical_policy = retry_policy(self.flow)
            # This process's engine validates them, which costs the server nothing.
            request.enforce_parameter_schema = False
        return request

    async def _execute_all(self, due: list[Tracked]) -> None:
        """Execute the runs in this process, a few at a time."""
        queue = deque(due)

        async def work() -> None:
            while queue:
                t = queue.popleft()
                await self._note_stopped([t, *queue])
                if self._may_start(t):
                    await self._execute(t)
                else:
                    await self._stop(t)
                await self._note_satisfied([t])
                if self._decide(t) is Step.END:
                    await self._count(t)

        count = min(self.policy.max_in_flight, len(due))
        workers = [asyncio.create_task(work()) for _ in range(count)]
        try:
            await asyncio.gather(*workers)
        except BaseException:
            # An engine whose run just ended swallows the cancellation: leave nothing to go on to.
            queue.clear()
            for worker in workers:
                worker.cancel()
            # Each engine records the end of its run before it lets go.
            await asyncio.gather(*workers, return_exceptions=True)
            raise

    async def _execute(self, t: Tracked) -> None:
        if t.run is None or self.flow is None:
            raise TypeError(t)
        if t.inherited:
            t.inherited, t.tried_here = False, t.tried_here + 1
        # In a task of its own: a flow that cancels the task it runs in stops nothing else.
        execution = asyncio.create_task(execute(self.flow, t.run, self.client))
        try:
            state, t.value = await execution
        except asyncio.CancelledError:
            if _being_cancelled():
                raise
            # The child cancelled itself; its engine has recorded a crash.
            t.saw(Crashed(message="It was cancelled from within."))
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the end of this attempt
            await self._mark_crashed([t], f"Its execution broke off: {error!r}")
            return
        if state is None or not state.is_final():
            await self._stop(t)
        else:
            t.saw(state)

    async def _note_stopped(self, due: Sequence[Tracked]) -> None:
        """Note, once in a while, which of the runs to execute were cancelled on the server.

        The server would let a cancelled run start: it takes it for a retry.
        """
        if time.monotonic() - self.looked_at < LOOK_SECONDS:
            return
        self.looked_at = time.monotonic()
        by_id = {t.run.id: t for t in due if t.run}
        for run in (await runs.read_stopped(self.client, list(by_id))).values():
            by_id[run.id].saw(run.state)

    @staticmethod
    def _may_start(t: Tracked) -> bool:
        return t.run is not None and t.run.state_type in (StateType.PENDING, StateType.RUNNING)

    async def _stop(self, t: Tracked) -> None:
        """Take the end that the server gave a run, or give it one: nobody executes it any more."""
        ids = [t.run.id] if t.run else []
        stopped: State[None] = Cancelled()
        await runs.set_states(self.client, ids, stopped, only=[StateType.CANCELLING], force=True)
        for run in (await runs.read_ended(self.client, ids)).values():
            t.saw(run.state)
        if t.unfinished:
            t.verdict, t.message = Outcome.CANCELLED, "The server did not let it go on."

    async def _mark_crashed(self, lost: Sequence[Tracked], message: str) -> None:
        """Say on the server what happened to runs that nobody executes any more."""
        state: State[None] = Crashed(message=message)
        ids = [t.run.id for t in lost if t.run]
        await runs.set_states(self.client, ids, state, only=runs.CANCELLABLE, force=True)
        for t in lost:
            t.saw(state)
        await end_below(self.client, ids)

    async def _watch(self, waiting: list[Tracked]) -> None:
        """Look after a pause what has become of the runs."""
        await asyncio.sleep(self.policy.poll_seconds)
        look = await self.job_watch.look(waiting)
        await end_below(self.client, [t.run.id for t in look.gone if t.run])
        if look.unstarted:
            limit = self.policy.pending_deadline_seconds
            await self._mark_crashed(
                look.unstarted, f"No worker made a job of it within {limit:g} s."
            )
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
        if self.creation is not None:
            self.creation.cancel()

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
                if self.creation is not None:
                    await asyncio.wait([self.creation])
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


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
