"""Whether a strategy looks ahead: what it says of a bar must not depend on what comes after.

Truncation: with the bars up to any bar t alone, every signal, target and column at or before t
must be the same to the bit; where it is not, t's future had a part in it. Warm-up: once a
strategy has had the bars after which it has settled, more of them before must not change a signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from trading.backtest.sweep.evaluation import evaluated
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.strategies.protocol import Context, Signals, Strategy
from trading.strategies.settling import settled_bars

STARTS = 8
"""Later starts of the history that the check of the warm-up tries."""

_TARGET_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Finding:
    """One bar of which a strategy says different things.

    Attributes:
        what: `signal`, `target` or the name of a column.
        timestamp: The bar.
        seen_until: The last bar of the shorter history (truncation), or its first (warm-up).
        with_less: What the strategy says of the bar with the shorter history.
        with_all: What it says with all bars.
    """

    what: str
    timestamp: np.datetime64
    seen_until: np.datetime64
    with_less: object
    with_all: object


@dataclass(frozen=True, slots=True)
class LookAhead:
    """What the check found.

    Attributes:
        bars: At how many bars the history was truncated.
        warm_ups: How many later starts were tried; 0 when there are too few bars for any.
        future: Bars whose results depend on later bars: the first of each kind.
        warm_up: Bars whose signal or target depends on more history than the strategy says it
            settles in: the first of each kind.
    """

    bars: int
    warm_ups: int
    future: Sequence[Finding] = field(default=())
    warm_up: Sequence[Finding] = field(default=())

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.future and not self.warm_up


def look_ahead(
    strategy: Strategy[Any],
    parameters: BaseModel,
    bars: Bars,
    interval: Interval,
    context: Context,
    *,
    ends: int | None = None,
) -> LookAhead:
    """Check a strategy on some bars.

    It is evaluated once for each end, so a few hundred to a few thousand are meant.

    Args:
        strategy: The strategy.
        parameters: Its parameters.
        bars: Bars from the first there is.
        interval: Their length.
        context: The series that it needs, as of each bar.
        ends: After how many of the last bars the history is truncated; None for all bars.

    Raises:
        DataError: It raised, and where.
    """

    def outputs(rows: slice) -> dict[str, npt.NDArray[Any]]:
        # Copies, so that nothing reaches past the end of a view.
        part = bars[np.arange(len(bars))[rows]]
        series = {name: values[rows].copy() for name, values in context.items()}
        return _outputs(evaluated(strategy, part, interval, series, parameters), len(part))

    everything = outputs(slice(None))
    stamps = bars.timestamps
    future: dict[str, Finding] = {}
    first_end = 1 if ends is None else max(1, len(bars) - ends + 1)
    for end in range(first_end, len(bars) + 1):
        _compare(
            outputs(slice(end)),
            everything,
            stamps=stamps,
            first=0,
            seen_until=stamps[end - 1],
            found=future,
        )
    settled = settled_bars(strategy, parameters)
    starts = _later_starts(len(bars), settled)
    warm_up: dict[str, Finding] = {}
    for start in starts:
        first = start + settled
        decisions = ("signal", "target")
        full = {name: values for name, values in everything.items() if name in decisions}
        part = {
            name: values[first - start :] for name, values in outputs(slice(start, None)).items()
        }
        _compare(part, full, stamps=stamps, first=first, seen_until=stamps[start], found=warm_up)
    ends = len(bars) + 1 - first_end
    return LookAhead(ends, len(starts), tuple(future.values()), tuple(warm_up.values()))


def _outputs(signals: Signals, count: int) -> dict[str, npt.NDArray[Any]]:
    outputs: dict[str, npt.NDArray[Any]] = {"signal": signals.signal}
    if signals.target is not None:
        outputs["target"] = signals.target
    outputs |= {f"column {name}": values for name, values in signals.columns.items()}
    for name, values in outputs.items():
        if len(values) != count:
            raise ValueError(f"{name} has {len(values)} values for {count} bars")
    return outputs


def _later_starts(count: int, settled: int) -> list[int]:
    """Starts spread over the bars, each with enough bars to settle and one behind it."""
    latest = count - settled - 1
    return [] if latest < 1 else sorted(set(np.linspace(1, latest, STARTS).astype(int).tolist()))


def _compare(
    less: dict[str, npt.NDArray[Any]],
    full: dict[str, npt.NDArray[Any]],
    *,
    stamps: npt.NDArray[np.datetime64],
    first: int,
    seen_until: np.datetime64,
    found: dict[str, Finding],
) -> None:
    """Note the first bar at which outputs differ, of each that has none noted yet.

    Args:
        less: Of the shorter history, from the bar `first` on.
        full: Of all bars; only what is in it is compared.
        stamps: All bars.
        first: The bar of `less`' first value.
        seen_until: What to call the shorter history.
        found: Where to note it.
    """
    for name, values in full.items():
        part = less.get(name)
        if name in found:
            continue
        if part is None:
            found[name] = Finding(name, stamps[first], seen_until, None, values[first])
            continue
        other = values[first : first + len(part)]
        rows = np.flatnonzero(_differs(part, other, exact=not first))
        if len(rows):
            row = int(rows[0])
            found[name] = Finding(name, stamps[first + row], seen_until, part[row], other[row])


def _differs(
    one: npt.NDArray[Any], other: npt.NDArray[Any], *, exact: bool
) -> npt.NDArray[np.bool_]:
    if one.dtype.kind == "f":
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        if not exact:
            same |= np.isclose(one, other, rtol=_TARGET_TOLERANCE, atol=_TARGET_TOLERANCE)
        different: npt.NDArray[np.bool_] = ~same
    else:
        different = np.array(one != other, np.bool_)
    return different
