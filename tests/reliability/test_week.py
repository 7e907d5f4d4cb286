"""A session of the whole platform while each of its processes is killed once.

`benchmarks.week` tells a whole week, and kills more of them, a Prefect server and worker as well.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from benchmarks.week.__main__ import SYMBOLS, WARM_UP
from benchmarks.week.killing import EACH
from benchmarks.week.plan import Plan
from benchmarks.week.running import run

DAY = date(2024, 7, 3)
"""It closes at 13:00."""


@pytest.mark.slow
def test_a_session_comes_out_whole_although_each_process_is_killed_once(tmp_path: Path) -> None:
    plan = Plan(
        folder=tmp_path, symbols=SYMBOLS, warm_up=WARM_UP, first=DAY, last=DAY, speed=600.0,
        strategy="bollinger_reversion", intervals=("5m", "13m"),
    )  # fmt: skip
    outcome = run(plan, kills=len(EACH), seed=1, prefect=False)
    assert outcome.violations == []
    assert outcome.kills == dict.fromkeys(EACH, 1)
    counts = {one.what: one.count for one in outcome.checks}
    told = ("bars = silver", "signals = gold", "orders", "executions", "alerts", "notifications")
    assert min(counts[what] for what in told) > 0
