"""What the sets of a sweep came to, so that the best one cannot flatter.

Sets are ranked by the Sharpe ratio of the part in which they are compared; beside it stands what
each earned in the part that was held back, how many were tried, and the probability that the best
one is more than luck.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Self

import numpy as np

from trading.backtest.deflated_sharpe import Moments, deflated_sharpe
from trading.backtest.metrics import Metrics, metrics
from trading.backtest.result import Course


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One set's metrics.

    Attributes:
        whole: Of the whole window.
        in_sample: Of the part in which sets are compared.
        out_of_sample: Of the part that was held back.
        moments: Of the returns in sample.
        split: The first bar that was held back, UTC.
    """

    whole: Metrics
    in_sample: Metrics
    out_of_sample: Metrics
    moments: Moments
    split: np.datetime64

    @classmethod
    def of(cls, course: Course, held_back: float, bars_per_year: float) -> Self:
        """Divide a course and measure its parts.

        Args:
            course: How the account went.
            held_back: Share of the bars at the end that no choice may look at.
            bars_per_year: Annualises.
        """
        row = split_row(len(course), held_back)
        before = course[:row]
        return cls(
            whole=metrics(course, bars_per_year),
            in_sample=metrics(before, bars_per_year),
            out_of_sample=metrics(course[row:], bars_per_year),
            moments=Moments.of(before.returns),
            split=course.timestamps[row],
        )

    def as_json(self) -> dict[str, Any]:
        """The parts as JSON can hold them, null for what is not defined."""
        return {
            "whole": values(self.whole),
            "in_sample": values(self.in_sample),
            "out_of_sample": values(self.out_of_sample),
            "moments": {name: _finite(value) for name, value in asdict(self.moments).items()},
            "split": str(self.split.astype("datetime64[ns]")),
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        """What `as_json` made of them."""
        moments: dict[str, Any] = {name: _known(value) for name, value in stored["moments"].items()}
        return cls(
            whole=metrics_of(stored["whole"]),
            in_sample=metrics_of(stored["in_sample"]),
            out_of_sample=metrics_of(stored["out_of_sample"]),
            moments=Moments(**moments),
            split=np.datetime64(stored["split"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SetResult:
    """What one parameter set came to, in all its accounts together.

    Attributes:
        parameters: Its parameters, as JSON.
        name: What it is called: the parameters that are not the defaults.
        final_equity: Dollars at the end of the window.
        fills: How many there were.
        fees: All fees in dollars.
        parts: Its metrics.
    """

    parameters: Mapping[str, Any]
    name: str
    final_equity: Decimal
    fills: int
    fees: Decimal
    parts: Parts


@dataclass(frozen=True, slots=True)
class Ranking:
    """The sets of a sweep, the one with the highest Sharpe ratio in sample first.

    Attributes:
        results: One a set; those without a Sharpe ratio at the end.
        tried: How many sets were tried, those that failed too.
        deflated_sharpe: The probability that the first one's Sharpe ratio is above what the best
            of so many has by luck; NaN where that is not known.
    """

    results: tuple[SetResult, ...]
    tried: int
    deflated_sharpe: float

    @classmethod
    def of(cls, results: Sequence[SetResult], tried: int) -> Self:
        """Rank some results."""
        ranked = sorted(results, key=_rank)
        found = math.nan
        if ranked:
            sharpes = [one.parts.moments.sharpe for one in ranked]
            found = deflated_sharpe(ranked[0].parts.moments, sharpes, tried)
        return cls(tuple(ranked), tried, found)


def split_row(count: int, held_back: float) -> int:
    """The first of `count` rows that is held back; both parts have one at least.

    Raises:
        ValueError: There are fewer than two rows.
    """
    if count < 2:  # noqa: PLR2004 - one for each part
        raise ValueError(f"{count} rows cannot be divided")
    return min(max(1, count - math.floor(count * held_back)), count - 1)


def values(found: Metrics) -> dict[str, float | None]:
    """Metrics as JSON can hold them, null for what is not defined."""
    return {name: _finite(value) for name, value in asdict(found).items()}


def metrics_of(stored: Mapping[str, float | None]) -> Metrics:
    """What `values` made of metrics."""
    read: dict[str, Any] = {name: _known(value) for name, value in stored.items()}
    return Metrics(**read)


def _rank(one: SetResult) -> float:
    sharpe = one.parts.moments.sharpe
    return math.inf if math.isnan(sharpe) else -sharpe


def _finite(value: float) -> float | None:
    if isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None


def _known(value: float | None) -> float:
    return math.nan if value is None else value
