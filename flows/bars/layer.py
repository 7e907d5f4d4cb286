"""Layers of the lake: the runs of their datasets, one after the other, and what they came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from fanout import Outcome
from flows.boundary.errors import UnfinishedError
from flows.runs.dataset_run import DatasetRun, DatasetSummary
from flows.runs.rendering import Counts


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


@dataclass(frozen=True, slots=True)
class SymbolLayer:
    """What became of one layer of one symbol.

    Attributes:
        layer: `bronze`, `silver` or `gold`, that with its strategy.
        symbol: The symbol.
        outcome: How its flow run ended.
        counts: Of its partitions; None where the run failed or was in a job of its own.
    """

    layer: str
    symbol: str
    outcome: str
    counts: Counts | None


@dataclass(frozen=True, slots=True)
class LayerTotals:
    """What became of one layer of all symbols.

    Attributes:
        symbols: How many there are.
        not_completed: Of how many the layer's run did not complete.
        computed: Partitions computed by this run, as far as it was told.
        up_to_date: Those up to date before it.
        failed: Neither.
    """

    symbols: int
    not_completed: int
    computed: int
    up_to_date: int
    failed: int

    @classmethod
    def of(cls, ended: Sequence[SymbolLayer]) -> Self:
        """The totals of the symbols of one layer."""
        counts = [one.counts for one in ended if one.counts is not None]
        return cls(
            symbols=len(ended),
            not_completed=sum(one.outcome != Outcome.COMPLETED.value for one in ended),
            computed=sum(one.completed for one in counts),
            up_to_date=sum(one.skipped for one in counts),
            failed=sum(one.failed for one in counts),
        )


@dataclass(frozen=True, slots=True)
class MedallionSummary:
    """What a run of all layers came to.

    Attributes:
        layers: Every layer of every symbol.
        dropped: Symbols that went no further, with the layer they failed in.
        seconds: How long each of `bronze`, `silver` and `gold` took for all symbols.
    """

    layers: tuple[SymbolLayer, ...]
    dropped: Mapping[str, str]
    seconds: Mapping[str, float]

    def totals(self) -> dict[str, LayerTotals]:
        """Of each layer, that of gold with its strategy, the counts of all symbols together."""
        by_layer: dict[str, list[SymbolLayer]] = {}
        for one in self.layers:
            by_layer.setdefault(one.layer, []).append(one)
        return {layer: LayerTotals.of(ended) for layer, ended in by_layer.items()}


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
