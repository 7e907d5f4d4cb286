"""A lake with two months of session files, and what every way to read it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

import lake as lakes
from api.bars.stored_files import files_of
from api.desk.layers import Layer
from lake.bronze.contents import Series, keys_between, read_range, read_session_prices
from lake.bronze.counted import counted_bronze
from lake.compaction.compacting import MonthState, compact
from lake.dataset import Dataset, symbol_status
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from storage.directory import Directory
from tests.lake.bronze.deliveries import Lake, Row, deliver, regular
from tests.lake.building import build
from trading.bars.intervals import Interval

FIRST, LAST = date(2024, 1, 30), date(2024, 2, 5)
"""Two sessions of January, three of February."""

AT_ONCE = timedelta(0)
SERIES = Series("files", Interval.MINUTE, "AAPL")
FOLDERS = ("bronze/files/1m/AAPL", "silver/AAPL")


@dataclass(frozen=True)
class Filled:
    """A lake with bronze, silver and gold of a few sessions."""

    lake: Lake
    rows: list[Row]
    deliveries: Path

    @property
    def place(self) -> str:
        return str(self.lake.folder)

    @property
    def directory(self) -> Directory:
        return self.lake.directory

    def ingest(self, rows: list[Row]) -> None:
        """A delivery of everything, stored where it says something new."""
        request = self.lake.request(first=FIRST, last=LAST)
        source = deliver(self.deliveries, rows)
        for key in self.lake.due(request):
            self.lake.compute(source, request, key)

    def redo(self, rows: list[Row], day: date) -> None:
        """A delivery of one session, whether it is due or not."""
        self.lake.compute(deliver(self.deliveries, rows), self.lake.request(first=day, last=day))

    def build(self) -> list[str]:
        silver = SilverRequest(lake_dir=self.place)
        made = build(SilverDataset(), silver) + build(SilverDaysDataset(), silver)
        return made + build(GoldDataset(), self._gold())

    def due(self) -> list[str]:
        """What of all layers is not up to date."""
        silver = SilverRequest(lake_dir=self.place)
        found = [key.label for key in self.lake.due(self.lake.request(first=FIRST, last=LAST))]
        layers: list[tuple[Dataset[Any, Any], Any]] = [
            (SilverDataset(), silver),
            (SilverDaysDataset(), silver),
            (GoldDataset(), self._gold()),
        ]
        for dataset, request in layers:
            status = symbol_status(dataset, request, "AAPL")
            found += [key.relative_path for key in status.due(reprocess=False)]
            found += status.orphans
        return found

    def said(self) -> dict[str, Any]:
        """What every way to read the lake says, times of writing included."""
        directory = self.directory
        loaded = counted_bronze(directory, "AAPL", Interval.MINUTE, ["files"])
        prices = read_session_prices(directory, SERIES, FIRST, LAST)
        return {
            "bronze": rows_of(lakes.read("bronze", "AAPL", "1m", lake_dir=self.place)),
            "part": rows_of(lakes.read("bronze", "AAPL", "1m", date(2024, 1, 31), date(2024, 2, 1),
                                     lake_dir=self.place)),
            "silver": [rows_of(lakes.read("silver", "AAPL", interval, lake_dir=self.place))
                       for interval in ("1m", "13m")],
            "keys": keys_between(directory, SERIES, FIRST, LAST),
            "range": read_range(directory, SERIES, FIRST, LAST).close.tolist(),
            "prices": (prices.dates.tolist(), prices.close.tolist()),
            "loaded": dict(loaded.written),
            "counted": [len(loaded.rows(file)) for file in loaded.files],
            "last": [Layer(folder.removesuffix("/AAPL"), self.place).last_stored()
                     for folder in FOLDERS],
            "files": [[f.name for f in files_of(directory, folder)] for folder in FOLDERS],
            **{f"sql {view}": _sql(self.place, view) for view in ("bronze", "silver")},
        }  # fmt: skip

    def _gold(self) -> GoldRequest:
        intervals = (Interval.MINUTES_5, Interval.DAY)
        return GoldRequest(lake_dir=self.place, strategy="rsi_reversion", intervals=intervals)

    def session_files(self) -> list[str]:
        found = (
            path for folder in FOLDERS for path in (self.lake.folder / folder).glob("*.parquet")
        )
        return sorted(path.relative_to(self.lake.folder).as_posix() for path in found)


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    return list(table.to_pylist())


def _sql(place: str, view: str) -> list[dict[str, Any]]:
    with lakes.connect(place) as sql:
        return rows_of(sql.arrow(f"SELECT * FROM {view} ORDER BY ALL"))  # noqa: S608 - ours


def run(filled: Filled, grace: timedelta = AT_ONCE) -> dict[str, MonthState]:
    found = compact(filled.directory, datetime.now(UTC), grace=grace)
    return {f"{one.folder} {one.month}": one.state for one in found}


def corrected(rows: list[Row], day: str) -> list[Row]:
    """The rows with another close in one minute of a session."""
    at = next(i for i in regular(rows) if rows[i]["timestamp"].startswith(day))
    changed = [dict(row) for row in rows]
    changed[at]["close"] = changed[at]["high"]
    changed[at]["volume"] += 7.0
    return changed
