"""What the flows about companies share: whose they are, and where they are kept."""

from typing import Annotated

from pydantic import Field

from flows.boundary.parameters import lake_url
from flows.boundary.settings import settings
from lake.reference.universes import read_universe
from storage.directory import open_directory
from trading.errors import ParameterError
from trading.instruments.symbols import Contract

WatchedSymbols = Annotated[
    list[Contract] | None,
    Field(
        description="Which symbols. Empty: those of TRADING_UNIVERSE.", examples=[["AAPL", "MSFT"]]
    ),
]


def watched_symbols(symbols: list[str] | None) -> tuple[str, ...]:
    """The symbols asked for, or those of the universe; each once.

    Raises:
        ParameterError: None are asked for, and no universe is set.
        LocationError: The lake, which has the universe, cannot be used.
    """
    if symbols:
        return tuple(dict.fromkeys(symbols))
    name = settings().universe
    if name is None:
        allowed = "a list of symbols, and TRADING_UNIVERSE names no universe to take them from"
        raise ParameterError("symbols", None, allowed, "name them, e.g. AAPL,MSFT")
    return read_universe(open_directory(lake_url(None), "lake_dir"), name)


def named_database() -> str:
    """The database of the settings.

    Raises:
        ParameterError: None is set: a flow starts no server of its own.
    """
    url = settings().database_url
    if url is None:
        allowed = "the URL of a Postgres database"
        raise ParameterError("TRADING_DATABASE_URL", None, allowed, "set it where the worker runs")
    return url.get_secret_value()
