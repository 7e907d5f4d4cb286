"""The fan-out engine: many deployment runs, created in bulk, run anywhere, watched together."""

from fanout.children import (
    Child,
    ChildResult,
    FanOutPolicy,
    Outcome,
    Placement,
    Progress,
    RunSet,
)
from fanout.orphans import end_orphans
from fanout.run_set import fan_out, latest_runs

__all__ = [
    "Child",
    "ChildResult",
    "FanOutPolicy",
    "Outcome",
    "Placement",
    "Progress",
    "RunSet",
    "end_orphans",
    "fan_out",
    "latest_runs",
]
