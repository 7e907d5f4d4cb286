"""The progress bar of a fan-out, whatever order its children and the server's answers come in."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from fanout import Progress
from flows.runs import progress
from flows.runs.progress import FanOutProgress


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What a server holds, one after the other, whose first answer takes longest."""
    values: list[float] = []
    delays = iter([20])

    async def update(artifact_id: UUID, progress: float) -> None:
        for _ in range(next(delays, 0)):
            await asyncio.sleep(0)
        values.append(progress)

    monkeypatch.setattr(progress, "aupdate_progress_artifact", update)
    monkeypatch.setattr(progress, "UPDATE_SECONDS", 0.0)
    return values


async def test_the_last_update_is_the_last_to_arrive(stored: list[float]) -> None:
    bar = FanOutProgress(uuid4(), {"AAPL": 3, "V": 1})
    await asyncio.gather(
        bar.partitions_ended("AAPL", 1),
        bar.partitions_ended("AAPL", 3),
        bar.partitions_ended("AAPL", 2),
        bar.partitions_ended("V", 1),
    )
    assert stored == sorted(stored)
    assert stored[-1] == 100.0


async def test_between_two_updates_there_is_a_pause_but_the_end_is_always_told(
    stored: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "UPDATE_SECONDS", 3600.0)
    bar = FanOutProgress(uuid4(), {"AAPL": 2, "V": 2})
    counted = Progress(2)
    await bar.contracts_ended(counted)
    assert stored == []
    await bar.partitions_ended("AAPL", 2)
    await bar.partitions_ended("V", 2)
    assert stored == [100.0]
