"""Fingerprints: whether a partition's stored numbers are those that its inputs would give now.

A fingerprint is a hash of what the numbers are computed from and of nothing else: the bars of the
partition and of its lookback (timestamp, price, S&P 500), the VIX at the partition's own bars, the
strategy without its cost, which only aggregation uses, the contract, the grain and the version of
the analysis. It is computed from bytes in little-endian order with one NaN, so it is the same on
every machine.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lake.grain import Grain
from lake.keys import Partition
from trading.arrays import Floats
from trading.strategies.market_model.inputs import ContractBars
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.market_model.signals import ANALYSIS_VERSION, lookback_bars

DIGEST_BYTES = 16
"""128 bits: two of a million partitions collide with probability 1e-27."""


def fingerprint(
    window: ContractBars, lookback: int, strategy: StrategyParameters, grain: Grain
) -> str:
    """The fingerprint of a partition, from the window of bars it is computed from.

    Args:
        window: The lookback bars, then the partition's bars.
        lookback: How many of the window's bars come before the partition's first bar.
        strategy: The strategy's parameters.
        grain: What the partition covers.

    Returns:
        32 hexadecimal digits.
    """
    hasher = _hasher(window.contract, grain, strategy)
    return _digest(hasher, _rows(window), _canonical(window.vix)[lookback:])


def fingerprints(
    bars: ContractBars, partitions: Sequence[Partition], strategy: StrategyParameters
) -> list[str]:
    """The fingerprints of many partitions of one contract, from its whole history.

    Args:
        bars: All bars of the contract.
        partitions: Partitions of that contract, all of one grain.
        strategy: The strategy's parameters.

    Returns:
        Of each partition what `fingerprint` gives for its window, in their order.
    """
    if not partitions:
        return []
    lookback = lookback_bars(strategy)
    hasher = _hasher(bars.contract, partitions[0].grain, strategy)
    rows, vix = _rows(bars), _canonical(bars.vix)
    return [
        _digest(
            hasher, rows[max(0, part.first - lookback) : part.last], vix[part.first : part.last]
        )
        for part in partitions
    ]


def _hasher(contract: str, grain: Grain, strategy: StrategyParameters) -> hashlib.blake2b:
    setting = {
        "analysis": ANALYSIS_VERSION,
        "contract": contract,
        "grain": grain.value,
        "strategy": strategy.model_dump(mode="json", exclude={"cost_bps"}),
    }
    text = json.dumps(setting, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES)


def _digest(hasher: hashlib.blake2b, window: npt.NDArray[np.int64], vix: Floats) -> str:
    copy = hasher.copy()
    # The lengths keep a bar of the lookback from passing for one of the partition.
    copy.update(struct.pack("<qq", len(window), len(vix)))
    copy.update(window.data)
    copy.update(vix.data)
    return copy.hexdigest()


def _rows(bars: ContractBars) -> npt.NDArray[np.int64]:
    """Timestamp, price and S&P 500 of each bar, side by side, as little-endian words."""
    rows = np.empty((len(bars), 3), "<i8")
    rows[:, 0] = bars.timestamps.astype("datetime64[ns]").view(np.int64)
    rows[:, 1] = _canonical(bars.price).view("<i8")
    rows[:, 2] = _canonical(bars.spx).view("<i8")
    return rows


def _canonical(values: Floats) -> Floats:
    """The values in little-endian order, with one bit pattern for NaN and one for zero."""
    return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8")
