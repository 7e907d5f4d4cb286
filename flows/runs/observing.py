"""Who is told of the progress of runs that execute in this process."""

from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass, field

from fanout import Outcome, Progress
from flows.runs.dataset_run import Observe

observer: ContextVar[Observe | None] = ContextVar("observer", default=None)
"""Set by whoever executes a flow in its own process and shows how far its partitions are."""


@dataclass(slots=True)
class Together:
    """Tells of several fan-outs, which run at once, as if they were one.

    Attributes:
        observe: Who is told.
    """

    observe: Observe
    _parts: dict[int, Progress] = field(default_factory=dict, init=False)

    async def of_one(self, progress: Progress) -> None:
        """Take in how far one of them is, and tell how far all are that have begun."""
        # A fan-out goes on with the same object, which is kept here so that its id stays its own.
        self._parts[id(progress)] = progress
        ended = Counter[Outcome]()
        for part in self._parts.values():
            ended += part.ended
        await self.observe(Progress(sum(part.total for part in self._parts.values()), ended))
