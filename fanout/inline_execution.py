"""Executing a parent's children in its own process, a few at a time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import State, StateType
from prefect.states import Cancelled, Crashed

from fanout import runs
from fanout.children import Outcome
from fanout.orphans import mark_crashed
from fanout.prefect_engine.inline import InlineClient, execute
from fanout.tracked import Tracked

LOOK_SECONDS = 1.0
"""How long a cancellation of a run that waits here for its execution may go unnoticed."""


@dataclass(slots=True, kw_only=True)
class InlineExecution:
    """What executes one parent's runs in this process.

    Attributes:
        client: The API client.
        flow: The runs' flow.
        max_in_flight: Runs that execute at once.
        on_end: Told of each child whose run has ended.
        looked_at: When it last looked for runs that were cancelled on the server.
    """

    client: InlineClient
    flow: Flow[..., Any]
    max_in_flight: int
    on_end: Callable[[Tracked], Awaitable[None]]
    looked_at: float = field(default_factory=time.monotonic)

    async def execute_all(self, due: Sequence[Tracked]) -> None:
        """Execute the runs, a few at a time, until each has ended."""
        queue = deque(due)

        async def work() -> None:
            while queue:
                t = queue.popleft()
                await self._note_stopped([t, *queue])
                if self._may_start(t):
                    await self._execute(t)
                else:
                    await self._stop(t)
                await self.on_end(t)

        count = min(self.max_in_flight, len(due))
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
        if t.run is None:
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
            t.record_state(Crashed(message="It was cancelled from within."))
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the end of this attempt
            await mark_crashed(self.client, [t], f"Its execution broke off: {error!r}")
            return
        if state is None or not state.is_final():
            await self._stop(t)
        else:
            t.record_state(state)

    async def _note_stopped(self, due: Sequence[Tracked]) -> None:
        """Note, once in a while, which of the runs to execute were cancelled on the server.

        The server would let a cancelled run start: it takes it for a retry.
        """
        if time.monotonic() - self.looked_at < LOOK_SECONDS:
            return
        self.looked_at = time.monotonic()
        by_id = {t.run.id: t for t in due if t.run}
        for run in (await runs.read_stopped(self.client, list(by_id))).values():
            by_id[run.id].record_state(run.state)

    @staticmethod
    def _may_start(t: Tracked) -> bool:
        return t.run is not None and t.run.state_type in (StateType.PENDING, StateType.RUNNING)

    async def _stop(self, t: Tracked) -> None:
        """Take the end that the server gave a run, or give it one: nobody executes it any more."""
        ids = [t.run.id] if t.run else []
        stopped: State[None] = Cancelled()
        await runs.set_states(self.client, ids, stopped, only=[StateType.CANCELLING], force=True)
        for run in (await runs.read_ended(self.client, ids)).values():
            t.record_state(run.state)
        if t.unfinished:
            t.verdict, t.message = Outcome.CANCELLED, "The server did not let it go on."


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
