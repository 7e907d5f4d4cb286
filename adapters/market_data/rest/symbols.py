"""What the vendors call our symbols."""

from __future__ import annotations

import re

from adapters.market_data.protocol import SourceError
from trading.instruments.symbols import CONTRACT_PATTERN


def vendor_symbol(symbol: str) -> str:
    """Polygon's and Alpaca's name of one of our symbols: `BRK.B` for `BRK-B`.

    Raises:
        SourceError: It is the name of an index, a future or a class of which theirs is not known:
            they would answer as if there had been no trade.
    """
    dotted = re.sub(r"\A([A-Z]+)-([A-Z])\Z", r"\1.\2", symbol)
    if not re.fullmatch(r"[A-Z0-9]+(\.[A-Z0-9]+)?", dotted):
        raise SourceError(symbol, "only stocks and funds are served, named like AAPL or BRK-B")
    return dotted


def our_symbol(ticker: str) -> str | None:
    """Our name of one of their tickers; None when it has none."""
    hyphened = re.sub(r"\A([A-Z]+)\.([A-Z])\Z", r"\1-\2", ticker)
    return hyphened if re.match(CONTRACT_PATTERN, hyphened) else None
