"""What a strategy is: from bars and their context to signals, as of each bar's close.

A strategy has no clock, no I/O and no state. A backtest, a gold partition and the live executor
call the same function. An exception in it fails the work that called it; it never becomes "no
signal".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from trading.arrays import Floats
from trading.bars.intervals import Interval
from trading.bars.model import Bars

BUY, HOLD, SELL = 1, 0, -1
"""How a signal is coded, which is also the position it takes."""

SIGNAL_NAMES = {BUY: "buy", HOLD: "hold", SELL: "sell"}
"""What the results call a signal."""

Context = Mapping[str, Floats]
"""Series beside the bars by name (`VIX`, `SPX`), as of each bar, shape (n,), NaN where unknown."""

P_contra = TypeVar("P_contra", bound=BaseModel, contravariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What a strategy says of each bar, as of its close; arrays of shape (n,).

    Attributes:
        signal: int8: BUY, HOLD or SELL.
        columns: The strategy's own columns by name, in the order in which they are stored: float64
            with NaN for null, bool, int64 or text (object arrays of str or None).
        target: Wanted position between -1 and 1, NaN to keep the one before; None where the
            signals say it: buy +1, sell 0 or -1, hold keeps.
    """

    signal: npt.NDArray[np.int8]
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    target: Floats | None = None


class Strategy(Protocol[P_contra]):
    """One strategy: a module's object with its parameters, version and function.

    Attributes:
        name: What people and files call it, e.g. `vegas_channel`.
        version: Part of every fingerprint: raised when equal inputs give other signals.
        context: Names of the context series that it needs.
    """

    name: str
    version: str
    context: tuple[str, ...]

    @property
    def parameters(self) -> type[BaseModel]:
        """The model of its parameters, with limits, descriptions and examples."""

    def warm_up_bars(self, parameters: P_contra) -> int:
        """How many bars there must be before the first that can signal."""

    def evaluate(
        self, bars: Bars, interval: Interval, context: Context, parameters: P_contra
    ) -> Signals:
        """The signals of all given bars; what it says of bar t depends on nothing after t.

        Args:
            bars: All bars from the first that there is, none missing in between but those that
                the lake has not.
            interval: The length of the bars.
            context: The series that `context` names.
            parameters: Its parameters.
        """
