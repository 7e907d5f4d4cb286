"""The parameters that the flows of silver and gold share, as types."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from lake.gold.request import CONTEXT_SYMBOLS
from lake.stretch import Stretch
from trading.bars.intervals import Interval
from trading.errors import DataError, shown
from trading.instruments.symbols import Contract

Symbols = Annotated[
    list[Contract] | None,
    Field(description="Symbols; empty: all that the layer below has.", examples=[["AAPL", "MSFT"]]),
]
Sources = Annotated[
    list[str] | None,
    Field(
        description="Sources of bronze, the one that counts first at the front; empty: the only "
        "one there is.",
        examples=[["polygon", "yahoo"]],
    ),
]
FirstDate = Annotated[
    date | None,
    Field(description="First New York date; empty: the first there is.", examples=["2024-01-02"]),
]
LastDate = Annotated[
    date | None,
    Field(
        description="Last New York date, included; empty: the last there is.",
        examples=["2024-06-28"],
    ),
]
AsOf = Annotated[
    AwareDatetime | None,
    Field(
        description="The moment as of which is computed: sessions that end later, and actions "
        "known later, take no part; empty: now.",
        examples=["2024-06-28T17:00:00-04:00"],
    ),
]
LakeFiles = Annotated[
    list[str] | None,
    Field(
        description="Partitions by their files below lake_dir, instead of all.",
        examples=[["silver/AAPL/20240102.parquet"]],
    ),
]
PartitionName = Annotated[
    str,
    Field(
        pattern=r"^\d{4}(\d{4}|-\d{2})?$",
        description="The session, month or year, as its file is called.",
        examples=["20240102", "2024-01", "2024"],
    ),
]
StrategyName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="A strategy's name, one of trading strategy list, or a class of your own as "
        "package.module:Class.",
        examples=["vegas_channel"],
    ),
]
StrategySettings = Annotated[
    dict[str, Any],
    Field(
        description="The strategy's parameters that are not its defaults.",
        examples=[{"lost_window": 20}],
    ),
]
BarIntervals = Annotated[
    list[Interval],
    Field(min_length=1, description="The lengths of the bars.", examples=[["5m", "1d"]]),
]
ContextSymbols = Annotated[
    dict[str, Contract],
    Field(
        description="The symbol whose bars are each series that a strategy needs beside prices.",
        examples=[dict(CONTEXT_SYMBOLS)],
    ),
]

Pages = Annotated[bool, Field(description="Whether to draw a page for each symbol.")]

DEFAULT_INTERVALS = [Interval.MINUTES_5, Interval.DAY]
NO_SETTINGS: dict[str, Any] = {}
DEFAULT_CONTEXT: Mapping[str, str] = dict(CONTEXT_SYMBOLS)


def run_name(symbol: str, partition: str, *words: str) -> str:
    """A partition's name, or whatever was passed where that is none."""
    try:
        stretch = Stretch.of_file(partition).label
    except DataError:
        stretch = shown(partition)
    return " ".join([symbol, *words, stretch])


def moment(as_of: datetime | None) -> datetime:
    """The moment asked for, or now, in UTC."""
    return (as_of or datetime.now(UTC)).astimezone(UTC)
