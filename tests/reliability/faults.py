"""Planning faults for the processes that a test starts; what carries them out is in `injected/`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from flows.boundary.settings import project_root

Point = Literal["before", "during", "after"]
"""Of a write: nothing is there yet; the temporary file is complete; it has its name."""

POINTS: tuple[Point, ...] = ("before", "during", "after")


@dataclass
class Faults:
    """What is to happen to processes that write results.

    Attributes:
        folder: Where plans and their traces are.
    """

    folder: Path
    _count: int = field(default=0)

    def environment(self) -> dict[str, str]:
        """What a process's environment needs, so that it and its children meet the faults."""
        paths = [str(Path(__file__).parent / "injected"), str(project_root())]
        return {"PYTHONPATH": os.pathsep.join(paths), "RELIABILITY_FAULTS": str(self.folder)}

    def kill(self, point: Point, file: str) -> Path:
        """Have the next process that comes to this point of writing `file` killed there."""
        return self._plan(point, file, "kill")

    def hold(self, point: Point, file: str) -> Path:
        """Have the next process that comes to this point wait there until it is let go."""
        return self._plan(point, file, "hold")

    def happened(self, plan: Path) -> bool:
        """Whether a process has taken the plan."""
        return plan.with_suffix(".taken").exists()

    def holds(self, plan: Path) -> bool:
        """Whether a process waits at the plan's point."""
        return plan.with_suffix(".reached").exists()

    def let_go(self, plan: Path) -> None:
        """Let the process that waits, or will, go on."""
        plan.with_suffix(".go").touch()

    def _plan(self, point: Point, file: str, action: str) -> Path:
        self._count += 1
        plan = self.folder / f"{self._count:02}.plan"
        fresh = plan.with_suffix(".new")
        fresh.write_text(json.dumps({"point": point, "file": file, "action": action}))
        return fresh.rename(plan)
