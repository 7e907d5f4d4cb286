"""Deliveries of the synthetic market as files, as a vendor would send them, and lakes to fill."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.market_data.bar_source import BarSource
from adapters.market_data.files.source import FileSource
from lake.bronze.dataset import BronzeDataset
from lake.bronze.keys import BronzeKey
from lake.bronze.partition import PartitionSummary
from lake.bronze.request import BronzeRequest, usual_grain
from lake.dataset import PartitionStatus, symbol_status
from lake.grain import Grain
from storage.directory import Directory, open_directory
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars
from trading.bars.synthetic_minutes import synthetic_minutes

NOW = datetime(2024, 6, 3, 12, tzinfo=UTC)
"""Long after the days of the tests, so that all of them are settled."""

DAY = date(2024, 1, 3)

Row = dict[str, Any]


def minutes(symbol: str = "AAPL", first: date = DAY, last: date = DAY) -> list[Row]:
    """The synthetic minutes of some days, a row each, pre- and post-market included."""
    return rows_of(synthetic_minutes(symbol, first, last))


def rows_of(bars: Bars) -> list[Row]:
    stamps = [f"{stamp.astype('datetime64[s]')}Z" for stamp in bars.timestamps]
    columns = {name: getattr(bars, name).tolist() for name in VALUES}
    return [
        {"timestamp": stamp} | {name: column[i] for name, column in columns.items()}
        for i, stamp in enumerate(stamps)
    ]


def regular(rows: Sequence[Row]) -> list[int]:
    """Positions of the rows of the winter session from 14:30 to 21:00 UTC."""
    return [i for i, row in enumerate(rows) if "14:30" <= row["timestamp"][11:16] < "21:00"]


def deliver(folder: Path, rows: Sequence[Row], symbol: str = "AAPL") -> FileSource:
    """Write a symbol's file and open the folder anew, as the next delivery."""
    folder.mkdir(exist_ok=True)
    names = ("timestamp", *VALUES)
    lines = [",".join(names), *(",".join(_text(row[name]) for name in names) for row in rows)]
    (folder / f"{symbol}.csv").write_text("\n".join(lines) + "\n")
    return FileSource(open_directory(str(folder), "from"))


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Lake:
    """A lake of bronze in a folder."""

    folder: Path

    @property
    def directory(self) -> Directory:
        return open_directory(str(self.folder), "lake_dir")

    def request(
        self,
        source: str = "files",
        interval: Interval = Interval.MINUTE,
        *,
        first: date = DAY,
        last: date = DAY,
        symbols: tuple[str, ...] = ("AAPL",),
        grain: Grain | None = None,
    ) -> BronzeRequest:
        return BronzeRequest(
            source=source,
            interval=interval,
            symbols=symbols,
            first=first,
            last=last,
            grain=grain or usual_grain(interval),
            lake_dir=str(self.folder),
        )

    def due(self, request: BronzeRequest, now: datetime = NOW) -> list[BronzeKey]:
        """What would be fetched now."""
        dataset = BronzeDataset(None, clock=lambda: now)
        plans = [symbol_status(dataset, request, symbol) for symbol in request.symbols]
        return [key for plan in plans for key in plan.due(reprocess=False)]

    def states(self, request: BronzeRequest, now: datetime = NOW) -> list[PartitionStatus]:
        dataset = BronzeDataset(None, clock=lambda: now)
        return [s for name in request.symbols for s in symbol_status(dataset, request, name).states]

    def ingest(
        self, source: BarSource, request: BronzeRequest, now: datetime = NOW
    ) -> list[PartitionSummary]:
        """Compute what is due, one partition after the other."""
        dataset = BronzeDataset(source, clock=lambda: now)
        return [dataset.compute(request, key, "run") for key in self.due(request, now)]

    def compute(
        self,
        source: BarSource,
        request: BronzeRequest,
        key: BronzeKey | None = None,
        now: datetime = NOW,
    ) -> PartitionSummary:
        """Compute one partition, due or not: the first of the request unless told otherwise."""
        dataset = BronzeDataset(source, clock=lambda: now)
        chosen = key or dataset.wanted(request, request.symbols[0])[0].key
        return dataset.compute(request, chosen, "run")

    def contents(self) -> dict[str, object]:
        """Every file's data by its name: the rows of tables, the text of records.

        Without what tells one run from another: the run, the time, the code's version. And without
        the temporary file that a killed writer leaves, which nobody reads.
        """
        found: dict[str, object] = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.suffix == ".tmp":
                continue
            if path.suffix == ".parquet":
                found[name] = _rows_and_footer(path)
            elif path.is_file():
                found[name] = json.loads(path.read_text())
        return found

    def files(self) -> list[str]:
        return [name for name in self.contents() if name.endswith(".parquet") and "/_" not in name]


def _rows_and_footer(path: Path) -> tuple[list[bytes | None], dict[str, str]]:
    table: pa.Table = pq.read_table(path)
    told = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    for name in ("flow_run_id", "written_at", "code_version"):
        told.pop(name, None)
    columns = [
        c for name, c in zip(table.column_names, table.columns, strict=True) if name != "known_at"
    ]
    buffers = [
        buffer for column in columns for chunk in column.chunks for buffer in chunk.buffers()
    ]
    return [None if buffer is None else buffer.to_pybytes() for buffer in buffers], told


Change = Callable[[list[Row]], list[Row]]
