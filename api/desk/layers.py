"""The layers of the lake as the pipeline's page shows them: what is there, and how it is redone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from lake.bronze.contents import stored_series
from lake.bronze.dataset import BronzeDataset
from lake.bronze.request import BronzeRequest, usual_grain
from lake.dataset import Dataset, PartitionKey, SymbolStatus, symbol_status
from lake.files import stored_metadata
from lake.folders import folders_in
from lake.gold.dataset import GoldDataset
from lake.gold.request import GOLD, GoldRequest
from lake.listing import files_in
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from lake.silver.table import SILVER, SILVER_DAYS
from lake.stretch import SUFFIX, Stretch
from storage.directory import open_directory
from trading.bars.intervals import Interval
from trading.errors import DataError

BRONZE = "bronze"


@dataclass(frozen=True, slots=True)
class Layer:
    """A dataset of the lake, of one source or strategy where it has several.

    Attributes:
        name: Its folder, e.g. `silver` or `gold/vegas_channel/5m`.
        lake_dir: The lake.
    """

    name: str
    lake_dir: str

    @property
    def kind(self) -> str:
        """The dataset."""
        return self.name.partition("/")[0]

    @property
    def deployment(self) -> str:
        """What computes one partition of it, as `flow/deployment`."""
        flow = {SILVER_DAYS: SILVER}.get(self.kind, self.kind) + "-partition"
        return f"{flow}/{flow}"

    @property
    def interval(self) -> Interval | None:
        """The bars' length where all have one."""
        return Interval(self.name.rpartition("/")[2]) if "/" in self.name else None

    def symbols(self) -> list[str]:
        """The symbols that it has.

        Raises:
            StorageError: The lake cannot be listed.
        """
        return folders_in(open_directory(self.lake_dir, "lake_dir"), self.name)

    def last_stored(self) -> date | None:
        """The last date that one of its files has; None where it has none.

        Raises:
            StorageError: The lake cannot be listed.
        """
        lake = open_directory(self.lake_dir, "lake_dir")
        files = (name for s in self.symbols() for name in files_in(lake, f"{self.name}/{s}"))
        return max((found for name in files if (found := _last_date(name))), default=None)

    def status(self, symbol: str, first: date, last: date) -> SymbolStatus[Any]:
        """What is there of a symbol, and what should be.

        Raises:
            DataError, ParameterError: Its inputs cannot be used.
            StorageError: The lake cannot be read.
        """
        dataset, request = self._asked(symbol, first, last)
        return symbol_status(dataset, request, symbol)

    def run_parameters(self, key: PartitionKey) -> dict[str, Any]:
        """The parameters of the flow run that computes one partition."""
        stretch = Stretch.of_file(key.relative_path)
        dataset, request = self._asked(key.symbol, stretch.first, stretch.last)
        return dict(dataset.parameters(request, key))

    def _asked(self, symbol: str, first: date, last: date) -> tuple[Dataset[Any, Any], Any]:
        """The dataset, and a request for one symbol of it."""
        words = self.name.split("/")
        within = {"symbols": (symbol,), "first": first, "last": last}
        if self.kind == BRONZE:
            interval = Interval(words[2])
            bronze = BronzeRequest(
                lake_dir=self.lake_dir,
                source=words[1],
                interval=interval,
                grain=usual_grain(interval),
                **within,  # type: ignore[arg-type]
            )
            return BronzeDataset(None), bronze
        if self.kind == GOLD:
            gold = GoldRequest(
                lake_dir=self.lake_dir,
                strategy=words[1],
                parameters=self._parameters(symbol),
                intervals=(Interval(words[2]),),
                **within,  # type: ignore[arg-type]
            )
            return GoldDataset(), gold
        silver = SilverRequest(lake_dir=self.lake_dir, **within)  # type: ignore[arg-type]
        return SilverDataset() if self.kind == SILVER else SilverDaysDataset(), silver

    def _parameters(self, symbol: str) -> dict[str, Any]:
        """Those of the newest file: a redo that took the defaults would change the signals."""
        lake = open_directory(self.lake_dir, "lake_dir")
        folder = f"{self.name}/{symbol}"
        names = sorted(name for name in lake.list_files(folder) if name.endswith(SUFFIX))
        if not names:
            return {}
        found = stored_metadata(lake, f"{folder}/{names[-1]}", GOLD, symbol)
        return dict(json.loads(found.get("parameters", "{}")))


def _last_date(name: str) -> date | None:
    try:
        return Stretch.of_file(name).last if name.endswith(SUFFIX) else None
    except DataError:
        return None


def layers(lake_dir: str) -> list[Layer]:
    """The layers that the lake has, from raw bars to signals.

    Raises:
        StorageError: The lake cannot be listed.
    """
    return [Layer(name, lake_dir) for name in _names(lake_dir)]


def _names(lake_dir: str) -> Iterator[str]:
    lake = open_directory(lake_dir, "lake_dir")
    known = set(lake.list_folders())
    if BRONZE in known:
        series = stored_series(lake_dir)
        yield from sorted({f"{BRONZE}/{one.source}/{one.interval.value}" for one in series})
    yield from (name for name in (SILVER, SILVER_DAYS) if name in known)
    if GOLD in known:
        for strategy in folders_in(lake, GOLD):
            intervals = folders_in(lake, f"{GOLD}/{strategy}")
            yield from (f"{GOLD}/{strategy}/{one}" for one in Interval if one.value in intervals)


def file_of(layer: Layer, key: PartitionKey) -> dict[str, str]:
    """What the partition's file says of itself; empty when there is none.

    Raises:
        StorageError: It cannot be read.
    """
    lake = open_directory(layer.lake_dir, "lake_dir")
    folder, _, name = key.relative_path.rpartition("/")
    if name not in files_in(lake, folder):
        return {}
    return dict(stored_metadata(lake, key.relative_path, layer.kind, key.symbol))


def written_at(metadata: dict[str, str]) -> datetime | None:
    """When the file was written; None where it does not say."""
    text = metadata.get("written_at")
    return None if text is None else datetime.fromisoformat(text)
