"""One partition: read its window, analyse it, write its file. What a leaf run does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from trading.analysis import Analysis, analyze, lookback_bars
from trading.fingerprint import fingerprint
from trading.market_data import open_market_data
from trading.parameters import Grain, StrategyParameters
from trading.partitions import Partition, partition_at
from trading.results import SIGNALS, Lineage, write_result
from trading.storage import open_directory


@dataclass(frozen=True, slots=True)
class PartitionSummary:
    """What one partition came to.

    Attributes:
        partition: Its label, e.g. `AAPL 2024-01-02 09:30`.
        url: Its result file.
        rows: How many bars it covers.
        buys: How many of them signal buy.
        sells: How many signal sell.
        holds: How many signal neither.
        fingerprint: Hash of what the numbers were computed from.
        last_price: Close price of the last bar in dollars, None where missing.
        last_beta: Beta at the last bar, None where it is not defined.
        last_signal: Signal at the last bar: `buy`, `sell` or `hold`.
    """

    partition: str
    url: str
    rows: int
    buys: int
    sells: int
    holds: int
    fingerprint: str
    last_price: float | None
    last_beta: float | None
    last_signal: str


def run_partition(  # noqa: PLR0917 - the leaf flow's parameters, in its order
    contract: str,
    timestamp: str | datetime,
    grain: Grain,
    strategy: StrategyParameters,
    input_dir: str,
    output_dir: str,
    flow_run_id: str,
) -> PartitionSummary:
    """Compute one partition and write its file.

    Running it again writes the same rows again; two at the same time leave one whole file.

    Args:
        contract: The contract's name.
        timestamp: The partition's first bar, or any of its bars; time-zone aware.
        grain: What the partition covers.
        strategy: The strategy's parameters.
        input_dir: Where the market data are.
        output_dir: Where results are kept.
        flow_run_id: The run that computes it, kept in the file.

    Raises:
        ParameterError: A value is not usable, e.g. an unknown contract or no bar at `timestamp`.
        DataError: The data are wrong; trying again gives the same answer.
        StorageError: Reading or writing failed, after retries where those can help.
    """
    directory = open_directory(output_dir, "output_dir")
    market = open_market_data(input_dir)
    market.check_known(contract)
    partition = partition_at(market, contract, timestamp, grain)
    lookback = min(partition.first, lookback_bars(strategy))
    window = market.bars(contract, partition.first - lookback, partition.last, strategy)
    analysis = analyze(window, strategy)[lookback:]
    inputs = fingerprint(window, lookback, strategy, grain)
    url = write_result(directory, partition, analysis, Lineage(inputs, strategy, flow_run_id))
    return _summary(partition, url, analysis, inputs)


def _summary(partition: Partition, url: str, analysis: Analysis, inputs: str) -> PartitionSummary:
    return PartitionSummary(
        partition=partition.label,
        url=url,
        rows=len(partition),
        buys=int((analysis.signal == 1).sum()),
        sells=int((analysis.signal == -1).sum()),
        holds=int((analysis.signal == 0).sum()),
        fingerprint=inputs,
        last_price=_known(analysis.price[-1]),
        last_beta=_known(analysis.beta[-1]),
        last_signal=SIGNALS[int(analysis.signal[-1]) + 1],
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
