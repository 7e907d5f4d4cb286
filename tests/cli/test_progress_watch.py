"""What a command shows of a flow in its own process, and says when it is stopped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from cli.display.progress import EstimatedProgress, PartitionProgress
from cli.pipeline import flow_in_process
from cli.pipeline.flow_in_process import ProgressWatch
from fanout import Outcome, Progress


@dataclass
class Seen:
    shown: list[PartitionProgress] = field(default_factory=list)

    def phase(self, text: str) -> None:
        raise AssertionError(text)

    def partitions(self, progress: PartitionProgress) -> None:
        self.shown.append(progress)


def ended(total: int, completed: int, failed: int = 0) -> Progress:
    return Progress(total, Counter({Outcome.COMPLETED: completed, Outcome.FAILED: failed}))


async def test_the_next_fan_out_begins_anew_and_nothing_done_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, clock = Seen(), iter([0.0, 2.0, 10.0, 11.0])
    # Not the module's own function, which the event loop asks as well.
    monkeypatch.setattr(flow_in_process, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    watch = ProgressWatch(seen, estimated=False)
    for progress in (ended(20, 1), ended(20, 19, 1), ended(10, 1), ended(10, 5)):
        await watch.observe(progress)
    assert [one.per_second for one in seen.shown] == [None, 9.5, None, 4.0]
    assert [one.failed for one in seen.shown] == [0, 1, 0, 0]
    assert not any(isinstance(one, EstimatedProgress) for one in seen.shown)
    assert watch.sentence == "24 partitions were completed."
