"""Several fan-outs at once are told of as one."""

from __future__ import annotations

from collections import Counter

from fanout import Outcome, Progress
from flows.runs.observing import Together


async def test_the_counts_of_all_that_have_begun_are_added_up() -> None:
    told: list[tuple[int, int, int]] = []

    async def observe(progress: Progress) -> None:
        told.append((progress.total, progress.ended[Outcome.COMPLETED], progress.done))

    together = Together(observe)
    one, other = Progress(3), Progress(2)
    one.ended[Outcome.COMPLETED] += 1
    await together.of_one(one)
    other.ended[Outcome.FAILED] += 1
    await together.of_one(other)
    one.ended[Outcome.COMPLETED] += 1
    await together.of_one(one)
    assert told == [(3, 1, 1), (5, 1, 2), (5, 2, 3)]
    assert one.ended == Counter({Outcome.COMPLETED: 2}), "what is added up is left as it is"
