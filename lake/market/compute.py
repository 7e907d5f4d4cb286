"""One partition: read its window, analyse it, write its file. What a leaf run does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from lake.fingerprints import fingerprint
from lake.keys import Partition, partition_at
from lake.market.inputs import MarketData
from lake.market.request import MarketRequest
from lake.market.results import Lineage, write_result
from trading.strategies.market_model.signals import Analysis, analyze, lookback_bars
from trading.strategies.protocol import BUY, HOLD, SELL, SIGNAL_NAMES


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

    @property
    def sentence(self) -> str:
        """The one line that a log needs."""
        beta = "n/a" if self.last_beta is None else f"{self.last_beta:.3f}"
        if self.rows == 1:
            return f"{self.partition}: {self.last_signal}, beta {beta} -> {self.url}"
        return (
            f"{self.partition}: {self.rows} bars, {self.buys} buys, {self.sells} sells, "
            f"last beta {beta} -> {self.url}"
        )


def run_partition(
    request: MarketRequest, timestamp: str | datetime, flow_run_id: str
) -> PartitionSummary:
    """Compute the partition of the request's contract that holds a timestamp.

    Args:
        request: Names one contract.
        timestamp: The partition's first bar, or any of its bars; time-zone aware.
        flow_run_id: The run that computes it, kept in the file.

    Raises:
        ParameterError: A value is not usable, e.g. an unknown contract or no bar at `timestamp`.
        DataError: The data are wrong; trying again gives the same answer.
        StorageError: Reading or writing failed, after retries where those can help.
    """
    market = request.market()
    (contract,) = request.contracts or ()
    market.check_known(contract)
    partition = partition_at(market, contract, timestamp, request.grain)
    return _computed(market, request, partition, flow_run_id)


def compute_partition(
    request: MarketRequest, partition: Partition, flow_run_id: str
) -> PartitionSummary:
    """Compute one partition and write its file.

    Running it again writes the same rows again; two at the same time leave one whole file.

    Args:
        request: With which parameters, from where to where.
        partition: One of the input's at the request's grain.
        flow_run_id: The run that computes it, kept in the file.

    Raises:
        DataError: The data are wrong; trying again gives the same answer.
        StorageError: Reading or writing failed, after retries where those can help.
    """
    return _computed(request.market(), request, partition, flow_run_id)


def _computed(
    market: MarketData, request: MarketRequest, partition: Partition, flow_run_id: str
) -> PartitionSummary:
    strategy = request.strategy
    lookback = min(partition.first, lookback_bars(strategy))
    first = partition.first - lookback
    window = market.bars(partition.symbol, first, partition.last, strategy)
    analysis = analyze(window, strategy)[lookback:]
    inputs = fingerprint(window, lookback, strategy, request.grain)
    lineage = Lineage(inputs, strategy, flow_run_id)
    url = write_result(request.output_dir, partition, analysis, lineage)
    return _summary(partition, url, analysis, inputs)


def _summary(partition: Partition, url: str, analysis: Analysis, inputs: str) -> PartitionSummary:
    return PartitionSummary(
        partition=partition.label,
        url=url,
        rows=len(partition),
        buys=int((analysis.signal == BUY).sum()),
        sells=int((analysis.signal == SELL).sum()),
        holds=int((analysis.signal == HOLD).sum()),
        fingerprint=inputs,
        last_price=_known(analysis.price[-1]),
        last_beta=_known(analysis.beta[-1]),
        last_signal=SIGNAL_NAMES[int(analysis.signal[-1])],
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
