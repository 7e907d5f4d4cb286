"""Two deliveries of the same bars as one, and what the later one changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.bars.model import VALUES, Bars, joined


@dataclass(frozen=True, slots=True)
class Correction:
    """One value that a source said differently later.

    Attributes:
        timestamp: The bar's start, UTC.
        column: The field of `Bars`; `bar` for a bar that was not there before.
        old: What it was; NaN where it was missing.
        new: What it is; NaN where it is missing.
    """

    timestamp: np.datetime64
    column: str
    old: float
    new: float


NEW_BAR = "bar"
"""The column of a correction that adds a bar; its `new` is the close."""


def merged(earlier: Bars, later: Bars) -> Bars:
    """The bars of both, of those with the same timestamp the later one's, in the order of time.

    A bar that the later delivery lacks is kept: an answer that is cut short looks like one that
    takes bars back, and what came in two parts must not depend on their order.
    """
    both = joined([earlier, later], earlier.symbol)
    order = np.argsort(both.timestamps, kind="stable")
    stamps = both.timestamps[order]
    last = np.append(stamps[1:] != stamps[:-1], True)[: len(stamps)]
    return both[order[last]]


def corrections(earlier: Bars, later: Bars) -> list[Correction]:
    """What the later bars say differently, in the order of time and of the fields.

    Args:
        earlier: Strictly increasing.
        later: Strictly increasing; has every timestamp of `earlier`.
    """
    known = np.isin(later.timestamps, earlier.timestamps, assume_unique=True)
    before, after = earlier, later[known]
    found = [
        Correction(stamp, NEW_BAR, float("nan"), float(close))
        for stamp, close in zip(later.timestamps[~known], later.close[~known], strict=True)
    ]
    for name in VALUES:
        old, new = getattr(before, name), getattr(after, name)
        differs = (old != new) & ~(np.isnan(old) & np.isnan(new))
        found += [
            Correction(before.timestamps[i], name, float(old[i]), float(new[i]))
            for i in np.flatnonzero(differs)
        ]
    return sorted(found, key=lambda change: change.timestamp)
