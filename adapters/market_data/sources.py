"""The sources of bars by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr

from adapters.market_data.bar_source import BarSource
from storage.directory import open_directory
from trading.errors import ParameterError


class SourceName(StrEnum):
    """What users call the sources."""

    SYNTHETIC = "synthetic"
    FILES = "files"
    YAHOO = "yahoo"
    POLYGON = "polygon"
    ALPACA = "alpaca"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKeys:
    """What vendors are asked with; None where there is none.

    Attributes:
        polygon_api_key: Polygon's key.
        alpaca_key_id: The name of Alpaca's key.
        alpaca_secret_key: Alpaca's key.
    """

    polygon_api_key: SecretStr | None = None
    alpaca_key_id: SecretStr | None = None
    alpaca_secret_key: SecretStr | None = None


def bar_source(
    name: SourceName,
    keys: SourceKeys,
    *,
    source_dir: str | None = None,
    timezone: str | None = None,
) -> BarSource:
    """The source of this name; nothing is asked of it yet.

    Args:
        name: Which.
        keys: Of the vendors.
        source_dir: The folder of `files`: a path or fsspec URL.
        timezone: Of times in these files that name none.

    Raises:
        ParameterError: A key or the folder is missing, or is given and of no use.
        LocationError: The folder cannot be named so.
    """
    if name is not SourceName.FILES and (source_dir or timezone):
        given, value = ("source_dir", source_dir) if source_dir else ("timezone", timezone)
        allowed = f"of use to the source {name.value}, it is for files alone"
        raise ParameterError(given, value, allowed, "leave it out, or name the source files")
    # Imported when they are asked for: yfinance alone takes a second.
    match name:
        case SourceName.SYNTHETIC:
            from adapters.market_data.synthetic_bars import SyntheticBarSource  # noqa: PLC0415

            return SyntheticBarSource()
        case SourceName.FILES:
            from adapters.market_data.files.source import FileSource  # noqa: PLC0415

            if source_dir is None:
                allowed = "a folder with a file per symbol, which the source files reads"
                raise ParameterError("source_dir", None, allowed, "pass --from DIR")
            return FileSource(open_directory(source_dir, "source_dir"), timezone=timezone)
        case SourceName.YAHOO:
            from adapters.market_data.yahoo import YahooSource  # noqa: PLC0415

            return YahooSource()
        case SourceName.POLYGON:
            from adapters.market_data.rest.polygon import PolygonSource  # noqa: PLC0415

            return PolygonSource(keys.polygon_api_key)
        case SourceName.ALPACA:
            from adapters.market_data.rest.alpaca import AlpacaSource  # noqa: PLC0415

            return AlpacaSource(keys.alpaca_key_id, keys.alpaca_secret_key)
