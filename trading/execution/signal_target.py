"""The target that one signal sets."""

from __future__ import annotations

from typing import Literal

from trading.errors import DataError


def signal_target(
    signal: Literal["buy", "hold", "sell"], target: float | None, *, allow_short: bool
) -> float | None:
    """The wanted position, a share of the allocation; None keeps the one before.

    A strategy's own target counts; otherwise buy is +1 and sell 0 or, where shorts are allowed,
    -1. The same as `trading.backtest.targets.targets` for one bar.

    Raises:
        DataError: The target is outside -1 to 1.
    """
    wanted = {"buy": 1.0, "sell": -1.0, "hold": None}[signal] if target is None else target
    if wanted is None or wanted != wanted:  # noqa: PLR0124 - NaN keeps the one before
        return None
    if not -1.0 <= wanted <= 1.0:
        raise DataError("target", f"the strategy wants {wanted}", "return targets between -1 and 1")
    return wanted if allow_short else max(wanted, 0.0)
