"""The page of one symbol and strategy, made from its gold and kept beside it."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa

from lake.files import read_file
from lake.gold.request import GOLD, GoldRequest, page_name
from lake.gold.table import COMMON_SCHEMA
from lake.silver.bronze_rows import instants
from lake.stretch import SUFFIX, Stretch
from storage.parquet.arrays import floats
from trading.bars.intervals import Interval
from trading.instruments.clock import NEW_YORK
from trading.report.candles import (
    BAND,
    LONG,
    MAX_CANDLES,
    SHORT,
    SignalPage,
    SignalSeries,
    signal_page,
)
from trading.strategies.protocol import SIGNAL_NAMES

_CODES = {name: code for code, name in SIGNAL_NAMES.items()}
_PRICES = ("open", "high", "low", "close")
_COLUMNS = ("timestamp", *_PRICES, *SHORT, *LONG, *BAND, "signal")


def write_page(request: GoldRequest, symbol: str, command: str) -> str:
    """Write a symbol's page with a section for each interval asked for, and return its URL.

    Args:
        request: What was made.
        symbol: The symbol.
        command: The shell command that makes it again.

    Raises:
        ContentError: A file of gold is damaged.
        StorageError: One cannot be read, or the page not be written.
    """
    series, fingerprints, actions = [], {}, ""
    for interval in request.intervals:
        read, metadata = _series(request, symbol, interval)
        series.append(read)
        if metadata:
            fingerprints[interval.value] = metadata["fingerprint"]
            actions = metadata.get("actions", "")
    strategy = request.chosen_strategy
    given = request.strategy_parameters.model_dump(mode="json")
    page = SignalPage(
        symbol=symbol,
        strategy=f"{strategy.name}, version {strategy.version}",
        parameters=", ".join(f"{name}={value}" for name, value in given.items()),
        actions=actions,
        fingerprints=fingerprints,
        made_at=f"{datetime.now(NEW_YORK):%Y-%m-%d %H:%M} New York",
        command=command,
    )
    name = page_name(request, symbol)
    request.lake.write_bytes(name, signal_page(page, series).encode())
    return request.lake.url_of(name)


def _series(
    request: GoldRequest, symbol: str, interval: Interval
) -> tuple[SignalSeries, dict[str, str]]:
    """The last bars of one interval, from as few files as have them, and the last one's footer."""
    folder = f"{request.folder(interval)}/{symbol}"
    names = [n for n in request.lake.list_files(folder) if n.endswith(SUFFIX)]
    names.sort(key=Stretch.of_file, reverse=True)
    tables, metadata, rows = list[pa.Table](), dict[str, str](), 0
    for name in names:
        stored = read_file(request.lake, f"{folder}/{name}", GOLD, symbol, _COLUMNS)
        metadata = metadata or dict(stored.metadata)
        tables.insert(0, stored.table)
        rows += stored.table.num_rows
        if rows >= MAX_CANDLES:
            break
    return _joined(symbol, interval, tables), metadata


def _joined(symbol: str, interval: Interval, tables: list[pa.Table]) -> SignalSeries:
    table = pa.concat_tables(tables) if tables else COMMON_SCHEMA.empty_table()
    table = table.slice(max(0, table.num_rows - MAX_CANDLES))
    columns = {name: floats(table[name]) for name in (*_PRICES, *SHORT, *LONG, *BAND)}
    return SignalSeries(
        symbol=symbol,
        interval=interval.value,
        timestamps=instants(table["timestamp"]),
        **{name: columns.pop(name) for name in _PRICES},
        columns=columns,
        signal=np.array([_CODES[name] for name in table["signal"].to_pylist()], np.int8),
    )
