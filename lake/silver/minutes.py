"""Silver within sessions: bars of eight intervals of one symbol and session, or month.

Its files follow bronze's: a session of which bronze has a file of its own makes a file, and a
month that bronze has as one file makes one, so that one changed minute makes one file due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from lake.dataset import Wanted
from lake.files import FileLineage, stored_fingerprints
from lake.grain import Grain
from lake.silver.bronze_rows import Bronze, bronze_of, read_sessions
from lake.silver.evidence import digest, files_by_session, hours
from lake.silver.request import SilverRequest
from lake.silver.table import SILVER, write_bars
from lake.stretch import Stretch, StretchKey, check_only
from trading.bars.intervals import Interval
from trading.bars.resampling.minutes import resample_minutes
from trading.instruments.calendar import Sessions, sessions

VERSION = "1"
"""Part of every fingerprint: raised when equal minutes make other bars."""


class SilverDataset:
    """Bars of all intervals within sessions."""

    name = SILVER

    def symbols(self, request: SilverRequest) -> Sequence[str]:
        """The symbols asked for, or all with minutes in bronze."""
        return request.symbols_in_bronze([Interval.MINUTE])

    def wanted(self, request: SilverRequest, symbol: str) -> Sequence[Wanted[StretchKey]]:
        """A partition for every session, or month, of which bronze has minutes."""
        bronze = _minutes(request, symbol, *_whole_months(request))
        fingerprints = bronze.fingerprints()
        bronze = bronze.only(fingerprints)
        found = [
            Wanted(StretchKey(SILVER, symbol, stretch), _fingerprint(bronze, within, fingerprints))
            for stretch, within in _partitions(bronze)
            if stretch.overlaps(request.first, request.last)
        ]
        check_only(request.only, SILVER, symbol, [one.key for one in found])
        return found

    def stored(self, request: SilverRequest, symbol: str) -> Mapping[str, str]:
        """Fingerprints of the symbol's files of the time asked for."""
        folder, first, last = f"{SILVER}/{symbol}", request.first, request.last
        return stored_fingerprints(request.lake, folder, SILVER, symbol, first=first, last=last)

    def compute(self, request: SilverRequest, key: StretchKey, flow_run_id: str) -> str:
        """Make the bars of one session or month, and return the file's URL.

        Raises:
            ContentError: A file of bronze is damaged.
            DataError: Two minutes of one file have the same timestamp, or one is not on a minute.
            StorageError: Bronze cannot be read, or the file not be written.
        """
        bronze = _minutes(request, key.symbol, key.stretch.first, key.stretch.last)
        within = _covered(bronze, key.stretch)
        rows = read_sessions(bronze, within)
        lineage = FileLineage(
            dataset=SILVER,
            symbol=key.symbol,
            fingerprint=_fingerprint(bronze, within, rows.fingerprints),
            flow_run_id=flow_run_id,
            more={"version": VERSION},
        )
        made = resample_minutes(rows.bars, within)
        return write_bars(request.lake, key.relative_path, made, lineage)

    def parameters(self, request: SilverRequest, key: StretchKey) -> Mapping[str, object]:
        """The parameters of `silver-partition`."""
        return partition_parameters(SILVER, request, key)


def partition_parameters(
    dataset: str, request: SilverRequest, key: StretchKey
) -> Mapping[str, object]:
    """The JSON parameters of the flow run that makes one file."""
    return {
        "symbol": key.symbol,
        "partition": key.stretch.stem,
        "dataset": dataset,
        "sources": list(request.sources),
        "as_of": None if request.as_of is None else request.as_of.isoformat(),
        "lake_dir": request.lake_dir,
    }


def _whole_months(request: SilverRequest) -> tuple[date | None, date | None]:
    """The time asked for, widened to months: a month's file takes all that bronze has of it."""
    first = request.first and Stretch.around(request.first, Grain.MONTH).first
    last = request.last and Stretch.around(request.last, Grain.MONTH).last
    return first, last


def _minutes(request: SilverRequest, symbol: str, first: date | None, last: date | None) -> Bronze:
    return bronze_of(request.lake, symbol, Interval.MINUTE, request.sources, first=first, last=last)


def _partitions(bronze: Bronze) -> list[tuple[Stretch, Sessions]]:
    """The stretches that make a file, in the order of time, with their sessions."""
    months: set[Stretch] = set()
    for file in bronze.files:
        if file.stretch.grain is Grain.MONTH:
            months.add(file.stretch)
        elif file.stretch.grain is Grain.YEAR:
            year = file.stretch.first
            months |= {Stretch(year.replace(month=m), Grain.MONTH) for m in range(1, 13)}
    every = bronze.sessions()
    by_stretch: dict[Stretch, list[int]] = {}
    for at, day in enumerate(every.dates.tolist()):
        month = Stretch.around(day, Grain.MONTH)
        stretch = month if month in months else Stretch(day, Grain.SESSION)
        by_stretch.setdefault(stretch, []).append(at)
    return [(stretch, every[rows[0] : rows[-1] + 1]) for stretch, rows in by_stretch.items()]


def _covered(bronze: Bronze, stretch: Stretch) -> Sessions:
    every = sessions(stretch.first, stretch.last)
    return every[np.array([bool(bronze.covering(day)) for day in every.dates.tolist()], bool)]


def _fingerprint(bronze: Bronze, within: Sessions, fingerprints: Mapping[str, str]) -> str:
    return digest(
        SILVER,
        VERSION,
        bronze.symbol,
        hours(within),
        files_by_session(bronze, within, fingerprints),
    )
