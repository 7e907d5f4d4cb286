"""From stored results to a stored portfolio: read, aggregate, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq

from lake.dataset import PartitionStatus, SymbolStatus, compared
from lake.keys import Partition
from lake.market.dataset import wanted_partitions
from lake.market.inputs import MarketData
from lake.market.lineage import origin
from lake.market.orphaned import Orphan, orphaned_results
from lake.market.request import MarketRequest
from lake.market.results import Metadata, read_results
from lake.market.wanted import WantedResults, wanted_results
from storage.directory import Directory
from trading.instruments.pace import pace
from trading.portfolio.origin import Origin
from trading.portfolio.performance import Portfolio, portfolio_of
from trading.portfolio.positions import trades

FOLDER = "_portfolio"
"""Below the output directory; no contract's name begins with an underscore."""

REPORT = f"{FOLDER}/report.html"
"""The page that `trading.report` makes of the portfolio."""

NEEDED = ("price", "beta", "signal")
"""Columns of the results that a portfolio is made of."""


@dataclass(frozen=True, slots=True, eq=False)
class Aggregation:
    """A stored portfolio and where it comes from.

    Attributes:
        directory: Where the results are.
        portfolio: The portfolio.
        origin: The lineage of the results.
        files: URLs of the files written: `portfolio.parquet` (one row, the metrics),
            `contracts.parquet` and `timeseries.parquet`.
        wanted: What the input asks for.
        statuses: Of every partition of the contracts held, as the results that were read have it.
        orphaned: What lies there besides, and was left out.
    """

    directory: Directory
    portfolio: Portfolio
    origin: Origin
    files: tuple[str, ...]
    wanted: WantedResults
    statuses: tuple[SymbolStatus[Partition], ...]
    orphaned: tuple[Orphan, ...]

    @property
    def output_dir(self) -> str:
        """Where the results are, as an absolute URL."""
        return self.directory.url

    @property
    def metrics(self) -> dict[str, object]:
        """The portfolio's metrics by name, and how the results stand that it was made of."""
        return metrics(self.portfolio, self.statuses, self.orphaned)


def metrics(
    held: Portfolio, statuses: Sequence[SymbolStatus[Partition]], orphaned: Sequence[Orphan]
) -> dict[str, object]:
    """The metrics of a portfolio by name, None where one is not defined.

    Three count results: `stale_results` are in the portfolio although their inputs or parameters
    have changed, `missing_results` are not there, `orphaned_results` are left out of it.
    """
    standing = {
        f"{status.value}_results": sum(s.count(status) for s in statuses)
        for status in (PartitionStatus.STALE, PartitionStatus.MISSING)
    }
    return asdict(held.summary) | standing | {"orphaned_results": len(orphaned)}


def aggregate(request: MarketRequest) -> Aggregation:
    """Aggregate the results that the input asks for into a portfolio, and store that beside them.

    Args:
        request: The contracts to hold, or None for all of the input that have results; the
            strategy that results should have been computed with, and its cost of a trade.

    Raises:
        DataError: There are no such results, or they are not usable.
        StorageError: A file cannot be read or written.
    """
    market, directory = request.market(), request.output_dir
    wanted = wanted_results(market, request.grain)
    rows, metadata = read_results(directory, request.contracts, NEEDED, wanted)
    made = trades(rows)
    del rows  # the trades hold what is needed of them: half the memory of a large set
    held = portfolio_of(made, pace=pace(made.timestamps), cost_bps=request.strategy.cost_bps)
    statuses = tuple(_statuses(request, market, made.contracts, metadata))
    orphaned = tuple(orphaned_results(replace(request, contracts=None), wanted))
    tables = {
        "portfolio": pa.Table.from_pylist([metrics(held, statuses, orphaned)]),
        "contracts": held.contracts,
        "timeseries": held.timeseries,
    }
    files = tuple(_write(directory, name, table) for name, table in tables.items())
    lineage = origin(list(metadata.values()))
    return Aggregation(directory, held, lineage, files, wanted, statuses, orphaned)


def _statuses(
    request: MarketRequest,
    market: MarketData,
    contracts: Sequence[str],
    metadata: Mapping[str, Metadata],
) -> list[SymbolStatus[Partition]]:
    """The status of each partition of the contracts, from the results that were read."""
    stored = {
        name: entry[b"fingerprint"].decode(errors="replace") for name, entry in metadata.items()
    }
    statuses = []
    for contract in contracts:
        bars = market.bars(contract, 0, market.rows, request.strategy)
        statuses.append(compared(contract, wanted_partitions(request, bars), stored))
    return statuses


def stored_cost_bps(directory: Directory) -> float | None:
    """The cost of a trade that the stored portfolio was made with; None without a portfolio.

    Args:
        directory: The output directory.

    Raises:
        StorageError: It cannot be accessed.
    """
    file = f"{FOLDER}/portfolio.parquet"
    if directory.identity(file) is None:
        return None
    try:
        rows = pq.read_table(pa.BufferReader(directory.read_bytes(file)), columns=["cost_bps"])
        return float(rows["cost_bps"][0].as_py())
    except (pa.ArrowException, LookupError, TypeError):
        return None  # no portfolio of ours: it is replaced


def _write(directory: Directory, name: str, table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    file = f"{FOLDER}/{name}.parquet"
    directory.write_bytes(file, memoryview(sink.getvalue()))
    return directory.url_of(file)
