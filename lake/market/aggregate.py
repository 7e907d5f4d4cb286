"""From stored results to a stored portfolio: read, aggregate, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from lake.grain import Grain
from lake.keys import partitions
from lake.market.inputs import MarketData, open_market_data
from lake.market.lineage import origin
from lake.market.orphaned import Orphan, orphaned_results
from lake.market.results import Metadata, read_results
from lake.market.wanted import Wanted, wanted_results
from lake.status import ContractStatus, PartitionStatus, states_of, stored_settings
from storage.directory import Directory, open_directory
from trading.instruments.pace import pace
from trading.portfolio.origin import Origin
from trading.portfolio.performance import Portfolio, portfolio_of
from trading.portfolio.positions import trades
from trading.strategies.market_model.parameters import StrategyParameters

FOLDER = "_portfolio"
"""Below the output directory; no contract's name begins with an underscore."""

REPORT = f"{FOLDER}/report.html"
"""The page that `trading.report` makes of the portfolio."""

NEEDED = ("price", "beta", "signal")
"""Columns of the results that a portfolio is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationRequest:
    """What to make a portfolio of.

    Attributes:
        input_dir: The market data: only what they ask for is aggregated.
        output_dir: Where the results are, and where `_portfolio/` goes.
        contracts: The contracts to hold, or None for all of the input that have results.
        grain: What one result covers; None takes that of most results.
        strategy: What the results should have been computed with; None takes that of the last.
        cost_bps: Cost of one trade in basis points.
    """

    input_dir: str
    output_dir: str
    contracts: Sequence[str] | None = None
    grain: Grain | None = None
    strategy: StrategyParameters | None = None
    cost_bps: float = StrategyParameters().cost_bps


@dataclass(frozen=True, slots=True, eq=False)
class Aggregation:
    """A stored portfolio and where it comes from.

    Attributes:
        output_dir: Where the results are, as an absolute URL.
        portfolio: The portfolio.
        origin: The lineage of the results.
        files: URLs of the files written: `portfolio.parquet` (one row, the metrics),
            `contracts.parquet` and `timeseries.parquet`.
        wanted: What the input asks for.
        statuses: Of every partition of the contracts held, as the results that were read have it.
        orphaned: What lies there besides, and was left out.
    """

    output_dir: str
    portfolio: Portfolio
    origin: Origin
    files: tuple[str, ...]
    wanted: Wanted
    statuses: tuple[ContractStatus, ...]
    orphaned: tuple[Orphan, ...]

    @property
    def metrics(self) -> dict[str, object]:
        """The portfolio's metrics by name, and how the results stand that it was made of."""
        return metrics(self.portfolio, self.statuses, self.orphaned)


def metrics(
    held: Portfolio, statuses: Sequence[ContractStatus], orphaned: Sequence[Orphan]
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


def aggregate(request: AggregationRequest) -> Aggregation:
    """Aggregate the results that the input asks for into a portfolio, and store that beside them.

    Raises:
        ParameterError: An argument is not usable.
        DataError: There are no such results, or they are not usable.
        StorageError: A file cannot be read or written.
    """
    market = open_market_data(request.input_dir)
    grain, strategy = request.grain, request.strategy
    if grain is None or strategy is None:
        stored = stored_settings(market, request.output_dir)
        grain = grain or stored.grain or Grain.BAR
        strategy = strategy or stored.strategy or StrategyParameters()
    wanted = wanted_results(market, grain)
    rows, metadata = read_results(request.output_dir, request.contracts, NEEDED, wanted)
    made = trades(rows)
    del rows  # the trades hold what is needed of them: half the memory of a large set
    held = portfolio_of(made, pace=pace(made.timestamps), cost_bps=request.cost_bps)
    statuses = tuple(_statuses(market, made.contracts, wanted, strategy, metadata))
    orphaned = tuple(orphaned_results(request.output_dir, wanted))
    directory = open_directory(request.output_dir, "output_dir")
    tables = {
        "portfolio": pa.Table.from_pylist([metrics(held, statuses, orphaned)]),
        "contracts": held.contracts,
        "timeseries": held.timeseries,
    }
    files = tuple(_write(directory, name, table) for name, table in tables.items())
    lineage = origin(list(metadata.values()))
    return Aggregation(directory.url, held, lineage, files, wanted, statuses, orphaned)


def _statuses(
    market: MarketData,
    contracts: Sequence[str],
    wanted: Wanted,
    strategy: StrategyParameters,
    metadata: Mapping[str, Metadata],
) -> list[ContractStatus]:
    """The status of each partition of the contracts, from the results that were read."""
    stored = {
        name: entry[b"fingerprint"].decode(errors="replace") for name, entry in metadata.items()
    }
    statuses = []
    for contract in contracts:
        bars = market.bars(contract, 0, market.rows, strategy)
        every = partitions(bars.timestamps, contract, wanted.grain)
        states = states_of(stored, bars, every, strategy)
        statuses.append(ContractStatus(contract, tuple(every), tuple(states)))
    return statuses


def stored_cost_bps(output_dir: str) -> float | None:
    """The cost of a trade that the stored portfolio was made with; None without a portfolio.

    Raises:
        ParameterError: `output_dir` is not usable.
        StorageError: It cannot be accessed.
    """
    directory = open_directory(output_dir, "output_dir")
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
