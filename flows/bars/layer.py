"""A layer of the lake: the runs of its datasets, one after the other, and what they came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flows.boundary.errors import UnfinishedError
from flows.runs.dataset_run import DatasetRun, DatasetSummary


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """What a run of a layer came to.

    Attributes:
        datasets: Of each of its datasets.
    """

    datasets: tuple[DatasetSummary, ...]

    @property
    def total(self) -> int:
        """Partitions that the request asks for."""
        return sum(one.total for one in self.datasets)

    @property
    def completed(self) -> int:
        """Computed by this run."""
        return sum(one.completed for one in self.datasets)

    @property
    def skipped(self) -> int:
        """Up to date before it."""
        return sum(one.skipped for one in self.datasets)

    @property
    def failed(self) -> int:
        """Neither."""
        return sum(one.failed for one in self.datasets)


async def run_datasets(runs: Sequence[DatasetRun[Any, Any]]) -> LayerSummary:
    """Bring the datasets up to date, each whatever became of the others.

    Raises:
        UnfinishedError: A partition of one is not done.
        ParameterError, DataError, StorageError: One cannot be planned.
    """
    summaries: list[DatasetSummary] = []
    messages: list[str] = []
    for run in runs:
        try:
            summaries.append(await run.run())
        except UnfinishedError as error:
            summaries.append(error.summary)
            messages.append(error.message)
    summary = LayerSummary(tuple(summaries))
    if messages:
        raise UnfinishedError("\n".join(messages), summary)
    return summary
