"""`lake.read`: one dataset of the lake as an Arrow table, for models and notebooks.

| dataset | columns after `symbol` |
| --- | --- |
| `bronze` | those of the source: `timestamp, open, high, low, close, volume`, `vwap`, `trades` |
| `silver` | `lake.silver.table.schema_of("silver")` |
| `silver_days` | `lake.silver.table.schema_of("silver_days")` |
| `gold` | `lake.gold.table.COMMON_SCHEMA`, and the strategy's own columns before `signal` |

`timestamp` is a bar's start and `available_at` its end, both UTC with their zone: whoever joins
rows to decisions joins on `available_at`, since nothing of a row was known before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from lake.files import read_file
from lake.folders import folders_in, sources_of_bronze
from lake.gold.request import GOLD
from lake.gold.table import COMMON_SCHEMA
from lake.grain import Grain
from lake.listing import files_in
from lake.place import lake_location
from lake.silver.bronze_rows import BRONZE
from lake.silver.table import INTERVALS, SILVER, SILVER_DAYS, schema_of
from lake.stretch import Stretch
from storage.directory import Directory, open_directory
from trading.bars.intervals import Interval
from trading.bars.model import VALUES
from trading.errors import ParameterError
from trading.instruments.clock import NEW_YORK, midnight
from trading.instruments.symbols import checked_contract

DATASETS = (BRONZE, SILVER, SILVER_DAYS, GOLD)

BRONZE_SCHEMA = pa.schema(
    [
        pa.field("timestamp", pa.timestamp("us", "UTC")),
        *(pa.field(name, pa.float64()) for name in VALUES),
    ]
)
"""The columns of bronze, as they are read: those that a source lacks are null."""

_SYMBOL = pa.field("symbol", pa.string())


def read(
    dataset: str,
    symbols: str | Sequence[str],
    interval: str,
    start: date | datetime | None = None,
    end: date | datetime | None = None,
    *,
    strategy: str | None = None,
    source: str | None = None,
    lake_dir: str | None = None,
) -> pa.Table:
    """The rows of a dataset, sorted by symbol in the order given, then by timestamp.

    Args:
        dataset: `bronze`, `silver`, `silver_days` or `gold`.
        symbols: One or several.
        interval: The bars' length, e.g. `5m` or `1d`.
        start: First New York date, or a time-zone aware moment; bars that start before are left
            out. None for the first there is.
        end: Last New York date, included, or a moment that bars start before. None for the last.
        strategy: Of `gold`; None for the only one there is.
        source: Of `bronze`; None for the only one there is.
        lake_dir: The lake's folder or URL; None for `TRADING_LAKE_DIR`, else `output/lake`.

    Raises:
        ParameterError: One of these is none, or has to be named.
        ContentError: A file is damaged.
        StorageError: One cannot be read.
    """
    lake = open_directory(lake_location(lake_dir), "lake_dir")
    names = [symbols] if isinstance(symbols, str) else list(symbols)
    folder = _folder(lake, dataset, _interval(dataset, interval), strategy, source)
    first, last = _moment(start, "start", next_day=False), _moment(end, "end", next_day=True)
    tables = [
        _between(_named(_table(lake, name, dataset, symbol, interval), symbol), first, last)
        for symbol in names
        for name in _files(lake, f"{folder}/{checked_contract(symbol)}", first, last)
    ]
    if not tables:
        return pa.schema([_SYMBOL, *_schema(dataset)]).empty_table()
    return pa.concat_tables(tables, promote_options="default").unify_dictionaries()


def _interval(dataset: str, interval: str) -> Interval:
    if dataset not in DATASETS:
        raise ParameterError("dataset", dataset, f"one of {', '.join(DATASETS)}", "pass one of it")
    known = INTERVALS.get(dataset, tuple(Interval))
    if interval not in known:
        raise ParameterError(
            "interval", interval, f"one of {dataset}", f"pass one of {', '.join(known)}"
        )
    return Interval(interval)


def _folder(
    lake: Directory, dataset: str, interval: Interval, strategy: str | None, source: str | None
) -> str:
    if dataset == BRONZE:
        return f"{BRONZE}/{_chosen(lake, BRONZE, 'source', source)}/{interval}"
    if dataset == GOLD:
        return f"{GOLD}/{_chosen(lake, GOLD, 'strategy', strategy)}/{interval}"
    return dataset


def _chosen(lake: Directory, dataset: str, parameter: str, named: str | None) -> str:
    known = folders_in(lake, dataset)
    if named is None and dataset == BRONZE:
        known = sources_of_bronze(lake)
    if named is None and len(known) == 1:
        return known[0]
    if named not in known:
        allowed = f"one that {dataset} has: {', '.join(known) or 'there is none'}"
        raise ParameterError(parameter, named, allowed, f"pass {parameter}=, or fill {dataset}")
    return named


def _moment(value: date | datetime | None, parameter: str, *, next_day: bool) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        day = value + timedelta(days=1) if next_day else value
        return midnight(day).astimezone(UTC)
    if value.utcoffset() is None:
        raise ParameterError(
            parameter,
            value.isoformat(),
            "time-zone aware",
            f"write {value.replace(tzinfo=NEW_YORK).isoformat()} for New York time, or pass a date",
        )
    return value.astimezone(UTC)


def _files(
    lake: Directory, folder: str, first: datetime | None, last: datetime | None
) -> list[str]:
    """The files that may have bars of the time, in its order; a month's stand for its sessions."""
    found = {Stretch.of_file(name): f"{folder}/{name}" for name in files_in(lake, folder)}
    low = None if first is None else first.astimezone(NEW_YORK).date()
    high = None if last is None else last.astimezone(NEW_YORK).date()
    return [
        found[stretch]
        for stretch in sorted(found)
        if stretch.overlaps(low, high)
        and (
            stretch.grain is not Grain.SESSION
            or Stretch.around(stretch.first, Grain.MONTH) not in found
        )
    ]


def _table(lake: Directory, name: str, dataset: str, symbol: str, interval: str) -> pa.Table:
    group = None if dataset not in INTERVALS else INTERVALS[dataset].index(Interval(interval))
    table = read_file(lake, name, dataset, symbol, row_group=group).table
    return _as_bronze(table) if dataset == BRONZE else table


def _named(table: pa.Table, symbol: str) -> pa.Table:
    return table.add_column(0, _SYMBOL, pa.array([symbol] * table.num_rows, pa.string()))


def _between(table: pa.Table, first: datetime | None, last: datetime | None) -> pa.Table:
    """The rows whose bar starts at or after the one moment and before the other."""
    stamps = table["timestamp"]
    mask = pc.is_valid(stamps)
    if first is not None:
        mask = pc.and_(mask, pc.greater_equal(stamps, pa.scalar(first, stamps.type)))
    if last is not None:
        mask = pc.and_(mask, pc.less(stamps, pa.scalar(last, stamps.type)))
    return table.filter(mask)


def _as_bronze(table: pa.Table) -> pa.Table:
    nulls = pa.nulls(table.num_rows, pa.float64())
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else nulls
        for field in BRONZE_SCHEMA
    ]
    return pa.Table.from_arrays(columns, schema=BRONZE_SCHEMA)


def _schema(dataset: str) -> pa.Schema:
    if dataset == BRONZE:
        return BRONZE_SCHEMA
    return COMMON_SCHEMA if dataset == GOLD else schema_of(dataset)
