"""A process that builds silver and gold and is killed while it writes, forked from a clean one.

What is imported here is loaded once, by the server that forks such processes; a kill then costs
what the build has done until then, and no start of Python.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Literal

from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from tests.lake.building import build
from trading.bars.intervals import Interval
from trading.instruments.calendar import sessions

_ = sessions(date(2024, 1, 2), date(2024, 1, 2))
# The calendar is made once as well: it takes longer than a build.

Point = Literal["before", "during", "after"]
"""Of a write: nothing is there yet; the temporary file is whole; it has its name."""

POINTS: tuple[Point, ...] = ("before", "during", "after")


def build_layers(lake: str) -> list[str]:
    """Make what is due of silver and gold, and return its files."""
    silver = SilverRequest(lake_dir=lake)
    intervals = (Interval.MINUTES_5, Interval.DAY)
    gold = GoldRequest(lake_dir=lake, strategy="rsi_reversion", intervals=intervals)
    made = build(SilverDataset(), silver) + build(SilverDaysDataset(), silver)
    return made + build(GoldDataset(), gold)


def exit_code_of_a_build(lake: str, point: Point, number: int) -> int:
    """Build in a process of its own, killed at a point of its write of that number, from 1."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_build, args=(lake, point, number))
    process.start()
    process.join()
    code = process.exitcode
    process.close()
    assert code is not None
    return code


def _build(lake: str, point: Point, number: int) -> None:
    _die(point, number)
    build_layers(lake)


def _die(point: Point, number: int) -> None:
    """Kill this process at a point of one of its writes: open, fill, rename."""
    counted = dict.fromkeys(POINTS, 0)

    def reached(here: Point) -> None:
        counted[here] += 1
        if here == point and counted[here] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    opened: Callable[..., Any] = Path.open
    replaced: Callable[..., Any] = Path.replace

    def opens(path: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
        if mode == "xb":
            reached("before")
        return opened(path, mode, *more, **named)

    def replaces(path: Path, target: Any) -> Any:
        reached("during")
        done = replaced(path, target)
        reached("after")
        return done

    Path.open, Path.replace = opens, replaces  # type: ignore[method-assign,assignment]
