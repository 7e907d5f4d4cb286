"""Bronze as a dataset: which partitions should exist, which are there, and what is due.

A source is not asked what it would say, so a partition's fingerprint is not known beforehand. It is
due when it is missing, when its last session is one of the last five, which the source may still
correct, when a gap of it is open, or when it is of another version of the format. One that was last
fetched before it was settled is due until it has been fetched since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from adapters.market_data.bar_source import BarSource
from adapters.market_data.sources import SourceName
from lake.bronze.keys import (
    BronzeKey,
    checked_stretch,
    covering,
    stored_stretches,
    symbol_folder,
)
from lake.bronze.partition import PartitionRun, PartitionSummary
from lake.bronze.records import open_stretches
from lake.bronze.request import BronzeRequest
from lake.bronze.rows import DATASET, SCHEMA_VERSION, version_of
from lake.bronze.settlement import settlement_start
from lake.dataset import Wanted
from lake.files import stored_fingerprints
from lake.grain import Grain
from lake.listing import files_with
from lake.reference.listings import Listings, read_listings
from lake.stretch import Stretch
from storage.directory import Directory, open_directory
from trading.bars.intervals import Interval
from trading.instruments.calendar import Sessions, sessions
from trading.instruments.clock import NEW_YORK, to_datetime64


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class BronzeDataset:
    """Raw bars of one source.

    Attributes:
        source: Where they are from; None to look at what is stored only.
        clock: Tells the time.
        name: What people call it.
    """

    source: BarSource | None
    clock: Callable[[], datetime] = _now
    name: str = field(default=DATASET)

    def symbols(self, request: BronzeRequest) -> Sequence[str]:
        """The symbols of the request, in its order."""
        return request.symbols

    def wanted(self, request: BronzeRequest, symbol: str) -> Sequence[Wanted[BronzeKey]]:
        """The partitions of one symbol that cover the request's sessions that have begun."""
        directory, now = self._lake(request), self.clock()
        within = self.sessions(request, symbol)
        folder = symbol_folder(request.source, request.interval, symbol)
        # Of whole years: what else a month or year has decides what covers a session of it.
        first = Stretch.around(request.first, Grain.YEAR).first
        last = Stretch.around(request.last, Grain.YEAR).last
        stored = stored_stretches(files_with(directory, folder, first, last))
        unfinished = open_stretches(directory, folder)
        settling = settlement_start(now)
        return [
            Wanted(
                BronzeKey(symbol, stretch, request.interval, request.source),
                None
                if stretch in unfinished or min(stretch.last, now.date()) >= settling
                else SCHEMA_VERSION,
            )
            for stretch in covering(within.dates, request.grain, stored)
        ]

    def stored(self, request: BronzeRequest, symbol: str) -> Mapping[str, str]:
        """The format's version in each stored file that covers sessions of the request."""
        folder = symbol_folder(request.source, request.interval, symbol)
        lake, first, last = self._lake(request), request.first, request.last
        known = stored_fingerprints(lake, folder, DATASET, symbol, first=first, last=last)
        return {name: version_of(found) for name, found in known.items()}

    def compute(self, request: BronzeRequest, key: BronzeKey, flow_run_id: str) -> PartitionSummary:
        """Fetch, check and store one partition.

        Raises:
            SourceError: The source did not deliver; a gap is open.
            DataError: What it delivered is refused; nothing was stored, a gap is open.
            StorageError: The lake cannot be read or written.
        """
        if self.source is None:
            raise TypeError("bronze without a source can be looked at, not computed")
        listings = read_listings(self._lake(request))
        return PartitionRun(
            directory=self._lake(request),
            source=self.source,
            key=key,
            expected=listings.on(key.symbol),
            now=self.clock(),
            flow_run_id=flow_run_id,
        ).run()

    def parameters(self, request: BronzeRequest, key: BronzeKey) -> Mapping[str, object]:
        """The parameters of `bronze-partition`."""
        told: dict[str, object] = {
            "symbol": key.symbol,
            "partition": key.stretch.stem,
            "interval": key.interval.value,
            "source": key.source,
            "lake_dir": request.lake_dir,
        }
        of_files = {"source_dir": request.source_dir, "timezone": request.timezone}
        if request.source == SourceName.FILES:
            told |= {name: value for name, value in of_files.items() if value is not None}
        return told

    def sessions(self, request: BronzeRequest, symbol: str) -> Sessions:
        """The sessions of the request that have begun, on which the instrument was listed."""
        now = self.clock()
        last = min(request.last, now.astimezone(NEW_YORK).date())
        within = sessions(request.first, last)
        within = within[within.opens <= to_datetime64(now)]
        listed = self._listings(request).on(symbol)
        if listed is None:
            return within
        return within[np.array([listed(day.item()) for day in within.dates], np.bool_)]

    def _listings(self, request: BronzeRequest) -> Listings:
        return read_listings(self._lake(request))

    def _lake(self, request: BronzeRequest) -> Directory:
        return open_directory(request.lake_dir, "lake_dir")


def bronze_key(symbol: str, partition: str, interval: Interval, source: str) -> BronzeKey:
    """The partition that a flow run's parameters name.

    Raises:
        ParameterError: `partition` names none.
    """
    return BronzeKey(symbol, checked_stretch(partition), interval, source)
