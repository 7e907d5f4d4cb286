"""The parameters that the flows of bronze share, and the source that they name."""

from functools import lru_cache
from typing import Annotated, Any

from prefect.blocks.system import Secret
from pydantic import Field, SecretStr

from adapters.market_data.bar_source import BarSource
from adapters.market_data.sources import SourceKeys, SourceName, bar_source
from flows.boundary.settings import below_project, settings
from trading.bars.intervals import Interval
from trading.instruments.symbols import CONTRACT_PATTERN

Symbol = Annotated[
    str,
    Field(
        pattern=CONTRACT_PATTERN,
        description="The instrument's symbol.",
        examples=["AAPL", "BRK-B"],
    ),
]
BarInterval = Annotated[Interval, Field(description="Length of a bar.", examples=["1m", "1d"])]
SourceDir = Annotated[
    str | None,
    Field(
        description="Folder with a file per symbol, for the source files: absolute, below the "
        "project's, or an fsspec URL.",
        examples=["s3://bucket/deliveries"],
    ),
]
Timezone = Annotated[
    str | None,
    Field(
        description="Time zone of times in these files that name none.",
        examples=["America/New_York"],
    ),
]

_BLOCKS = {
    SourceName.POLYGON: ("polygon_api_key",),
    SourceName.ALPACA: ("alpaca_key_id", "alpaca_secret_key"),
}
"""The settings with the keys of a source; a Prefect Secret block may hold one instead."""


def block_name(key: str) -> str:
    """The Prefect Secret block of a key, e.g. `trading-polygon-api-key`."""
    return f"trading-{key.replace('_', '-')}"


async def source_of(name: SourceName, source_dir: str | None, timezone: str | None) -> BarSource:
    """The source of a run, with keys from the settings or else from Prefect Secret blocks.

    Runs in one process share it, with what it has read and the rate that it keeps.

    Raises:
        ParameterError: A key or the folder is missing.
    """
    known = {key: getattr(settings(), key) for key in _BLOCKS.get(name, ())}
    for key, value in known.items():
        if value is None:
            known[key] = await _block(block_name(key))
    return _shared(name, SourceKeys(**known), source_dir and below_project(source_dir), timezone)


@lru_cache(maxsize=8)
def _shared(
    name: SourceName, keys: SourceKeys, source_dir: str | None, timezone: str | None
) -> BarSource:
    return bar_source(name, keys, source_dir=source_dir, timezone=timezone)


def forget_sources() -> None:
    """Make the next run look at the sources anew: what a folder held was read once."""
    _shared.cache_clear()


async def _block(name: str) -> SecretStr | None:
    try:
        block: Any = await Secret.aload(name)
    except ValueError:
        return None  # there is none
    return SecretStr(str(block.get()))
