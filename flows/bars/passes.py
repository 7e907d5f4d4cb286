"""Bronze from several sources in order: the next one is asked for what those before it lack."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapters.market_data.bar_source import BarSource
from fanout import Placement
from flows.bars.bronze_partition import bronze_partition
from flows.boundary.errors import UnfinishedError
from flows.boundary.settings import settings
from flows.deploy.deployments import BRONZE_PARTITION
from flows.runs.dataset_run import DatasetRun, DatasetSummary, Leaf, Observe
from lake.bronze.dataset import BronzeDataset
from lake.bronze.keys import Stretch, symbol_folder
from lake.bronze.records import open_stretches, read_gaps
from lake.bronze.request import BronzeRequest
from lake.dataset import COMPLETE, symbol_status
from storage.directory import open_directory

LEAF = Leaf(BRONZE_PARTITION, bronze_partition)


@dataclass(frozen=True, slots=True)
class BronzePasses:
    """A request, brought up to date from one source after the other.

    A file holds one source's bars, whole: what a source lacks of a partition is not filled in from
    the next, whose partition is a file of its own.

    Attributes:
        request: What is asked for, of the first source.
        sources: In the order in which to ask.
        placement: Where partitions execute.
    """

    request: BronzeRequest
    sources: Sequence[BarSource]
    placement: Placement

    async def run(self, observe: Observe | None) -> DatasetSummary:
        """Ask each source for what is due, and the next for what is missing then.

        Raises:
            UnfinishedError: A partition failed that no source had.
        """
        counts: list[DatasetSummary] = []
        request: BronzeRequest | None = self.request
        problem: UnfinishedError | None = None
        for number, source in enumerate(self.sources):
            if request is None:
                break
            problem = None
            request = replace(request, source=source.name)
            try:
                counts.append(await self._pass(request, source, observe))
            except UnfinishedError as error:
                problem = error
                counts.append(error.summary)
            if number + 1 < len(self.sources):
                request = lacking(request, self.sources[number + 1].name)
        summary = _together(counts)
        if request is not None and problem is not None:
            raise UnfinishedError(problem.message, summary)
        return summary

    async def _pass(
        self, request: BronzeRequest, source: BarSource, observe: Observe | None
    ) -> DatasetSummary:
        return await DatasetRun(
            dataset=BronzeDataset(source),
            request=request,
            leaf=LEAF,
            placement=self.placement,
            policy=settings().partition_policy(self.placement),
            observe=observe,
        ).run()


def lacking(request: BronzeRequest, other: str) -> BronzeRequest | None:
    """The request of another source for what is missing, has a gap or could not be fetched now.

    Returns:
        None when there is nothing of the kind.
    """
    elsewhere = replace(request, source=other, only=None)
    lacks = {symbol: _lacking(request, symbol) for symbol in request.symbols}
    files = {
        wanted.key.relative_path
        for symbol in request.symbols
        for wanted in BronzeDataset(None).wanted(elsewhere, symbol)
        if any(_overlap(wanted.key.stretch, lack) for lack in lacks[symbol])
    }
    return replace(elsewhere, only=frozenset(files)) if files else None


def _lacking(request: BronzeRequest, symbol: str) -> list[Stretch]:
    lake = open_directory(request.lake_dir, "lake_dir")
    status = symbol_status(BronzeDataset(None), request, symbol)
    wanted = open_stretches(lake, symbol_folder(request.source, request.interval, symbol))
    found = []
    for key, state in zip(status.keys, status.states, strict=True):
        record = read_gaps(lake, key) if key.stretch in wanted else None
        if state not in COMPLETE or (record is not None and (record.gaps or record.detail)):
            found.append(key.stretch)
    return found


def _overlap(one: Stretch, other: Stretch) -> bool:
    return one.first <= other.last and other.first <= one.last


def _together(counts: Sequence[DatasetSummary]) -> DatasetSummary:
    """The counts of all passes: each partition once, failed when the last that tried it did."""
    first, last = counts[0], counts[-1]
    return DatasetSummary(
        dataset=first.dataset,
        total=first.total,
        completed=max(0, first.total - first.skipped - last.failed),
        skipped=first.skipped,
        failed=last.failed,
        orphaned=0,
    )
