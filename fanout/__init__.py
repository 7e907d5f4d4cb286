"""The fan-out engine on Prefect: many flow runs, created in bulk, run anywhere, watched together.

Another project could lift it out: it imports nothing of ours.
"""

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
