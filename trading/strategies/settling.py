"""After how many bars a recursive strategy no longer shows where its history began.

An exponential average never forgets: only after some multiple of its periods is what came before
its first bar less than a float64 can hold. A strategy made of such averages says how long that
takes in a method `settled_bars(parameters)`; one without the method has settled after its
`warm_up_bars`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from trading.strategies.protocol import Strategy


def settled_ema(periods: int) -> int:
    """Bars until the first bar's weight in an EMA is (1 - 2 / (n + 1))^(20 n), about e^-40."""
    return 20 * periods


def settled_wilder(periods: int) -> int:
    """The same of Wilder's average: (1 - 1 / n)^(40 n), about e^-40."""
    return 40 * periods


def settled_bars(strategy: Strategy[Any], parameters: BaseModel) -> int:
    """The bars from which on more history before them changes nothing that a strategy says."""
    warm_up = strategy.warm_up_bars(parameters)
    own = getattr(strategy, "settled_bars", None)
    return warm_up if own is None else max(warm_up, int(own(parameters)))
