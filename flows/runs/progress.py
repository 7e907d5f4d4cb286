"""The progress bar that the Prefect UI shows while a fan-out runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact

from fanout import Progress


class Observer(Protocol):
    """Who follows a run of the orchestrator inside its process."""

    def planned(self, due: Mapping[str, int]) -> None:
        """Told once how many partitions of each contract are to be computed."""

    def ended(self, contract: str, progress: Progress) -> None:
        """Told how many partitions of a contract have ended, where they run in this process."""


UPDATE_SECONDS = 2.0
"""Shortest time between two updates: each is a request."""


class FanOutProgress:
    """How far the partitions of a run are, kept in a progress artifact.

    Args:
        artifact_id: The artifact.
        due: How many partitions each contract has to compute.
    """

    def __init__(self, artifact_id: UUID, due: Mapping[str, int]) -> None:
        self._artifact_id = artifact_id
        self._total = sum(due.values())
        self._ended: dict[str, int] = {}
        self._fraction = 0.0
        self._updated_at = time.monotonic()
        self._turn = asyncio.Lock()

    async def partitions_ended(self, contract: str, ended: int) -> None:
        """Note how many partitions of a contract have ended."""
        self._ended[contract] = max(ended, self._ended.get(contract, 0))
        await self._show(sum(self._ended.values()) / self._total)

    async def contracts_ended(self, progress: Progress) -> None:
        """Note how many contracts have ended, when their partitions run elsewhere."""
        await self._show(progress.done / progress.total)

    async def _show(self, fraction: float) -> None:
        self._fraction = max(fraction, self._fraction)
        # One request at a time: of two on their way, the older could arrive last and stay.
        async with self._turn:
            if self._fraction < 1 and time.monotonic() - self._updated_at < UPDATE_SECONDS:
                return
            self._updated_at = time.monotonic()
            await aupdate_progress_artifact(self._artifact_id, progress=100 * self._fraction)


@asynccontextmanager
async def progress_artifact(due: Mapping[str, int]) -> AsyncIterator[FanOutProgress]:
    """A progress artifact of the current flow run.

    Args:
        due: How many partitions each contract has to compute.
    """
    total = sum(due.values())
    artifact_id = await acreate_progress_artifact(
        progress=0.0,
        key="fan-out-progress",
        description=f"{total} partitions of {len(due)} contracts",
    )
    if not isinstance(artifact_id, UUID):
        raise TypeError(artifact_id)
    yield FanOutProgress(artifact_id, due)
