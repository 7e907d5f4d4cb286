"""Who is told of the progress of runs that execute in this process."""

from contextvars import ContextVar

from flows.runs.dataset_run import Observe

observer: ContextVar[Observe | None] = ContextVar("observer", default=None)
"""Set by whoever executes a flow in its own process and shows how far its partitions are."""
