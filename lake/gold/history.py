"""Silver of one symbol as gold reads it: the whole history, and the hash of each of its beginnings.

A history's hash runs on from piece to piece, so that a piece that changed changes the hash of all
later ends and of none before it.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from lake.files import listed_fingerprints
from lake.fingerprints import DIGEST_BYTES
from lake.grain import Grain
from lake.listing import files_in
from lake.silver.evidence import canonical_rows
from lake.silver.gathered import no_bars, read_gathered
from lake.silver.table import SILVER, SILVER_DAYS, joined_bars, read_bars
from lake.stretch import Stretch
from storage.backends import FileIdentity
from storage.directory import Directory
from trading.arrays import Timestamps
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.bars.resampling.model import ResampledBars
from trading.instruments.calendar import Dates, sessions
from trading.instruments.clock import local_times, to_datetime64


@dataclass(frozen=True, slots=True)
class Beginnings:
    """The running hash of a history.

    Attributes:
        ends: The first date of each piece, increasing.
        digests: The hash of all pieces up to and including it.
    """

    ends: tuple[date, ...]
    digests: tuple[str, ...]

    def until(self, last: date) -> str:
        """The hash of the pieces that begin at or before a date."""
        at = bisect_right(self.ends, last)
        return self.digests[at - 1] if at else ""

    @property
    def whole(self) -> str:
        """The hash of everything."""
        return self.digests[-1] if self.digests else ""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """All bars that silver has of one symbol, as far as their sessions are over.

    Attributes:
        bars: Raw bars: of an interval within sessions those, of one over sessions the daily ones.
        available_at: When each ends, UTC, shape (n,).
        dates: The New York date of each, shape (n,).
        beginnings: Its running hash.
    """

    bars: Bars
    available_at: Timestamps
    dates: Dates
    beginnings: Beginnings


def minute_pieces(names: Iterable[str], over: date | None) -> dict[Stretch, str]:
    """Those of the files in silver's folder of a symbol that make its history, in order.

    A month's file holds all of its sessions, so those of a session in that month are left out.

    Args:
        names: All files of the folder.
        over: The last session that counts; None when all do.
    """
    stretches = {Stretch.of_file(name): name for name in names}
    months = {stretch.first for stretch in stretches if stretch.grain is Grain.MONTH}
    return {
        stretch: stretches[stretch]
        for stretch in sorted(stretches, key=lambda one: (one.first, one.grain))
        if (over is None or stretch.first <= over)
        and (stretch.grain is not Grain.SESSION or stretch.first.replace(day=1) not in months)
    }


def minute_beginnings(directory: Directory, symbol: str, as_of: datetime | None) -> Beginnings:
    """The running hash of a symbol's history within sessions, from the files' footers alone."""
    folder, over = f"{SILVER}/{symbol}", _last_over(as_of)
    listed = files_in(directory, folder)
    stored = listed_fingerprints(directory, folder, listed, SILVER, symbol, whole=True)
    pieces = {
        stretch: found
        for stretch, name in minute_pieces(listed, over).items()
        if (found := stored.get(f"{folder}/{name}")) is not None
    }
    return _running(pieces, over)


def read_minutes(
    directory: Directory,
    symbol: str,
    interval: Interval,
    as_of: datetime | None,
    listed: Mapping[str, FileIdentity] | None = None,
) -> History:
    """A symbol's history of one interval within sessions.

    Args:
        directory: The lake.
        symbol: The symbol.
        interval: The interval.
        as_of: Sessions that end later take no part; None for all.
        listed: The files in silver's folder of the symbol; None to list them.

    Raises:
        ContentError: A file of silver is damaged.
        StorageError: One cannot be read.
    """
    folder, over = f"{SILVER}/{symbol}", _last_over(as_of)
    files = files_in(directory, folder) if listed is None else listed
    pieces = minute_pieces(files, over)
    found, fingerprints = read_gathered(
        directory, symbol, interval, {f"{folder}/{name}": files[name] for name in pieces.values()}
    )
    running = _running(dict(zip(pieces, fingerprints.values(), strict=True)), over)
    return _history(found, running, over)


def read_days(directory: Directory, symbol: str, as_of: datetime | None) -> History:
    """A symbol's daily bars, whose running hash is of the bars themselves.

    Raises:
        ContentError: A file of silver is damaged.
        StorageError: One cannot be read.
    """
    folder = f"{SILVER_DAYS}/{symbol}"
    names = [f"{folder}/{n}" for n in directory.list_files(folder) if n.endswith(".parquet")]
    read = [read_bars(directory, n, SILVER_DAYS, symbol, Interval.DAY)[0] for n in names]
    found = joined_bars(read, no_bars(symbol))
    if as_of is not None:
        found = found[found.available_at <= to_datetime64(as_of)]
    days = _dates(found.bars.timestamps)
    ends = found.available_at.view(np.int64).tolist()
    rows = [f"{row}{end}" for row, end in zip(canonical_rows(found.bars), ends, strict=True)]
    beginnings = Beginnings(tuple(days.tolist()), tuple(running_digests(rows)))
    return History(found.bars, found.available_at, days, beginnings)


def _history(found: ResampledBars, beginnings: Beginnings, over: date | None) -> History:
    days = _dates(found.bars.timestamps)
    if over is not None:
        kept = days <= np.datetime64(over)
        found, days = found[kept], days[kept]
    return History(found.bars, found.available_at, days, beginnings)


def _running(pieces: Mapping[Stretch, str], over: date | None) -> Beginnings:
    """The running hash of files; of one with sessions that are not over, which of it count."""
    texts = [
        f"{stretch.stem} {fingerprint}"
        + (f" until {over.isoformat()}" if over is not None and _goes_on(stretch, over) else "")
        for stretch, fingerprint in pieces.items()
    ]
    return Beginnings(tuple(stretch.first for stretch in pieces), tuple(running_digests(texts)))


def _goes_on(stretch: Stretch, over: date) -> bool:
    """Whether a stretch has a session after the last one that is over."""
    return (
        stretch.last > over
        and len(sessions(max(over + timedelta(days=1), stretch.first), stretch.last)) > 0
    )


def running_digests(texts: Sequence[str]) -> list[str]:
    """The hash of each text and all before it."""
    digests = []
    running = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for text in texts:
        running.update(f"{text}\n".encode())
        digests.append(running.hexdigest())
    return digests


def _last_over(as_of: datetime | None) -> date | None:
    """The last session that has ended by then; None when all count."""
    if as_of is None:
        return None
    moment = to_datetime64(as_of)
    day: date = moment.astype("datetime64[D]").item()
    near = sessions(day - timedelta(days=14), day)
    last: date = near.dates[near.closes <= moment][-1].item()
    return last


def _dates(stamps: Timestamps) -> Dates:
    return local_times(stamps).astype("datetime64[D]")
