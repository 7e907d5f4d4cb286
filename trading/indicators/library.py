"""TA-Lib, loaded when the first indicator is computed: it brings pandas where that is installed."""

from __future__ import annotations

import importlib
from typing import Any

RECURSIVE = ("ATR", "EMA", "RSI")
"""Those of its functions used here whose first values a setting can cut off."""


def talib() -> Any:  # noqa: ANN401 - a module, whose own types leave half of it out
    """The library, with its settings as they are by default.

    Raises:
        RuntimeError: Somebody changed them for this process, and with them every number.
    """
    library: Any = importlib.import_module("talib")
    if library.get_compatibility() or any(map(library.get_unstable_period, RECURSIVE)):
        raise RuntimeError(
            "TA-Lib's compatibility or unstable periods were changed in this process; "
            "leave them at 0, so that the indicators are those that are defined"
        )
    return library
