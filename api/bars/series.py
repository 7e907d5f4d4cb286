"""Which series there are of a symbol, and whether it is known at all."""

from __future__ import annotations

from api.bars.reading import BRONZE
from api.envelope import ApiError
from database.api.listed import INSTRUMENTS
from database.api.listings import page
from database.connection import Database
from database.live.bars import live_intervals
from lake.folders import folders_in
from lake.gold.request import GOLD
from lake.silver.table import SILVER, SILVER_DAYS
from storage.directory import Directory

LIVE = "live"
"""The source of bars that live windows closed."""


def sources_of(lake: Directory, database: Database | None, symbol: str) -> dict[str, list[str]]:
    """By interval, who delivered bars of a symbol: sources of the lake, and `live`.

    Args:
        lake: The lake.
        database: The database; None when it cannot be reached.
        symbol: The symbol.
    """
    found = folders_with(lake, BRONZE, symbol)
    for interval in live_intervals(database, symbol) if database is not None else []:
        found.setdefault(interval.value, []).append(LIVE)
    return found


def folders_with(lake: Directory, layer: str, symbol: str) -> dict[str, list[str]]:
    """By interval, the folders of a layer, bronze or gold, that have the symbol."""
    found: dict[str, list[str]] = {}
    for name in folders_in(lake, layer):
        for interval in folders_in(lake, f"{layer}/{name}"):
            if symbol in folders_in(lake, f"{layer}/{name}/{interval}"):
                found.setdefault(interval, []).append(name)
    return found


def check_known(lake: Directory, database: Database, symbol: str) -> None:
    """Refuse a symbol of which there is nothing: a misspelt one would get an empty answer.

    Raises:
        ApiError: It is one.
    """
    if sources_of(lake, database, symbol) or folders_with(lake, GOLD, symbol):
        return
    if any(symbol in folders_in(lake, layer) for layer in (SILVER, SILVER_DAYS)):
        return
    if not page(database, INSTRUMENTS, {"symbol": symbol}, after=None, limit=1).rows:
        raise unknown_symbol(symbol)


def unknown_symbol(symbol: str) -> ApiError:
    """What is said of a symbol that is not known."""
    return ApiError(404, "unknown_symbol", f"There is nothing of {symbol}; see /v1/symbols.")
