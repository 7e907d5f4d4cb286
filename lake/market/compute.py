"""One partition: read its window, analyse it, write its file. What a leaf run does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from lake.fingerprints import fingerprint
from lake.grain import Grain
from lake.keys import Partition, partition_at
from lake.market.inputs import open_market_data
from lake.market.results import Lineage, write_result
from storage.directory import open_directory
from trading.strategies.market_model.parameters import StrategyParameters
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
