"""Silver over sessions: bars of 1 to 34 sessions of one symbol and year.

They are made of the source's daily bars where bronze has any of the symbol, of its minutes
otherwise; never of both, whose volumes and closes differ. A bar belongs to the year in which its
first session lies, so that one of the last of a year may need the first sessions of the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import numpy as np

from lake.dataset import Wanted
from lake.files import FileLineage, stored_fingerprints
from lake.grain import Grain
from lake.silver.bronze_rows import Bronze, BronzeFile, bronze_of, read_sessions
from lake.silver.evidence import canonical_rows, digest, files_by_session, hours
from lake.silver.minutes import partition_parameters
from lake.silver.request import SilverRequest
from lake.silver.table import SILVER_DAYS, write_bars
from lake.stretch import Stretch, StretchKey, check_only
from trading.bars.intervals import SESSION_INTERVALS, Interval
from trading.bars.model import Bars
from trading.bars.resampling.blocks import block_sessions, resample_sessions
from trading.bars.resampling.minutes import session_bars
from trading.bars.resampling.model import ResampledBars
from trading.instruments.calendar import Sessions, sessions
from trading.instruments.clock import local_times, to_datetime64

VERSION = "1"
"""Part of every fingerprint: raised when equal bronze makes other bars."""


class SilverDaysDataset:
    """Bars of all intervals over sessions."""

    name = SILVER_DAYS

    def symbols(self, request: SilverRequest) -> Sequence[str]:
        """The symbols asked for, or all with daily bars or minutes in bronze."""
        return request.symbols_in_bronze([Interval.DAY, Interval.MINUTE])

    def wanted(self, request: SilverRequest, symbol: str) -> Sequence[Wanted[StretchKey]]:
        """A partition for every year of which bronze has a session that is over."""
        bronze = _days_of(request, symbol, *_whole_years(request.first, request.last))
        fingerprints = bronze.fingerprints()
        bronze = bronze.only(fingerprints)
        found = []
        for year in _years(bronze.files):
            within = _sessions_of(bronze, year, request.as_of)
            if not _has(within, year) or not year.overlaps(request.first, request.last):
                continue
            key = StretchKey(SILVER_DAYS, symbol, year)
            found.append(Wanted(key, _fingerprint(bronze, within, fingerprints)))
        check_only(request.only, SILVER_DAYS, symbol, [one.key for one in found])
        return found

    def stored(self, request: SilverRequest, symbol: str) -> Mapping[str, str]:
        """Fingerprints of the symbol's files of the time asked for."""
        folder, first, last = f"{SILVER_DAYS}/{symbol}", request.first, request.last
        return stored_fingerprints(
            request.lake, folder, SILVER_DAYS, symbol, first=first, last=last
        )

    def compute(self, request: SilverRequest, key: StretchKey, flow_run_id: str) -> str:
        """Make the bars of one year, and return the file's URL.

        Raises:
            ContentError: A file of bronze is damaged.
            DataError: Two daily bars belong to one session, or minutes cannot be used.
            StorageError: Bronze cannot be read, or the file not be written.
        """
        bronze = _days_of(request, key.symbol, *_whole_years(key.stretch.first, key.stretch.last))
        within = _sessions_of(bronze, key.stretch, request.as_of)
        daily, fingerprint = _daily(bronze, within)
        made = {
            interval: _of_year(found, key.stretch)
            for interval, found in resample_sessions(daily, SESSION_INTERVALS).items()
        }
        lineage = FileLineage(
            dataset=SILVER_DAYS,
            symbol=key.symbol,
            fingerprint=fingerprint,
            flow_run_id=flow_run_id,
            more={"version": VERSION, "made_of": bronze.interval.value},
        )
        return write_bars(request.lake, key.relative_path, made, lineage)

    def parameters(self, request: SilverRequest, key: StretchKey) -> Mapping[str, object]:
        """The parameters of `silver-partition`."""
        return partition_parameters(SILVER_DAYS, request, key)


def _days_of(request: SilverRequest, symbol: str, first: date | None, last: date | None) -> Bronze:
    """What days are made of: the daily bars of bronze, or its minutes when it has none at all."""
    lake, sources = request.lake, request.sources
    # A file a year: that there are none of the time asked for does not say that there are none.
    daily = bronze_of(lake, symbol, Interval.DAY, sources)
    if daily.files:
        return daily.between(first, last)
    return bronze_of(lake, symbol, Interval.MINUTE, sources, first=first, last=last)


def _whole_years(first: date | None, last: date | None) -> tuple[date | None, date | None]:
    """The time asked for, widened to years, with the next one, in which the last bars may end."""
    return (
        first and Stretch.around(first, Grain.YEAR).first,
        last and Stretch.around(date(last.year + 1, 1, 1), Grain.YEAR).last,
    )


def _years(files: Sequence[BronzeFile]) -> list[Stretch]:
    return sorted({Stretch.around(file.stretch.first, Grain.YEAR) for file in files})


def _sessions_of(bronze: Bronze, year: Stretch, as_of: datetime | None) -> Sessions:
    """The sessions that the bars of a year are made of, as far as there are and they are over."""
    of_year = sessions(year.first, year.last)
    ends = [
        block_sessions(interval, of_year.dates[-1].item(), of_year.dates[-1].item()).dates[-1]
        for interval in SESSION_INTERVALS
    ]
    last: date = max(ends).item()
    within = sessions(year.first, last)
    there = np.array([bool(bronze.covering(day)) for day in within.dates.tolist()], bool)
    if as_of is not None:
        there &= within.closes <= to_datetime64(as_of)
    return within[there]


def _has(within: Sessions, year: Stretch) -> bool:
    return bool((within.dates <= np.datetime64(year.last)).any())


def _fingerprint(bronze: Bronze, within: Sessions, fingerprints: Mapping[str, str]) -> str:
    """The fingerprint of a year's bars.

    Of daily bars the rows are hashed: those of the next year's first sessions are in its file,
    which grows without them changing. Of minutes the files are, which are of a session or month.
    """
    if not bronze.interval.is_intraday:
        return _of_rows(bronze, within, read_sessions(bronze, within).bars)
    return _digest(bronze, within, files_by_session(bronze, within, fingerprints))


def _of_rows(bronze: Bronze, within: Sessions, daily: Bars) -> str:
    return _digest(bronze, within, canonical_rows(daily))


def _digest(bronze: Bronze, within: Sessions, evidence: object) -> str:
    kind = bronze.interval.value
    return digest(SILVER_DAYS, VERSION, bronze.symbol, kind, hours(within), evidence)


def _daily(bronze: Bronze, within: Sessions) -> tuple[Bars, str]:
    """The daily bars of the sessions, and the fingerprint of what is made of them."""
    read = read_sessions(bronze, within)
    if not bronze.interval.is_intraday:
        return read.bars, _of_rows(bronze, within, read.bars)
    made = session_bars(read.bars, within).bars
    return made, _fingerprint(bronze, within, read.fingerprints)


def _of_year(found: ResampledBars, year: Stretch) -> ResampledBars:
    dates = local_times(found.bars.timestamps).astype("datetime64[D]")
    return found[(dates >= np.datetime64(year.first)) & (dates <= np.datetime64(year.last))]
