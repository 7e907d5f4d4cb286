"""Bars of one interval within sessions gathered by year, so that few files make a history.

    silver/AAPL/20240102.parquet ... 20241231.parquet  ->  silver/AAPL/.5m-2024.gathered

Gold, backtests and live signals begin at the first bar there is, and silver has a file a session.
What they read of the files of a year is kept in one hidden file beside them, with the version and
the fingerprint of each. It counts for that version of its file and for no other, so a gathered
file can be lost, old or another reader's: that costs time, never a wrong bar.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate, groupby

import numpy as np

from lake.files import FileLineage, read_file, write_file
from lake.silver.evidence import digest
from lake.silver.table import SILVER, bars_in, joined_bars, read_bars, table_of
from storage.backends import FileIdentity
from storage.directory import Directory
from storage.errors import ContentError, StorageError
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.bars.resampling.model import ResampledBars

WORTHWHILE = 40
"""Files of a year from which on they are gathered: two months of sessions."""

DATASET = "silver_gathered"


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is kept of one file of silver.

    Attributes:
        name: The file, relative to the lake.
        identity: The version that was read.
        fingerprint: That version's.
        rows: How many bars it has.
    """

    name: str
    identity: FileIdentity
    fingerprint: str
    rows: int


@dataclass(frozen=True, slots=True)
class _Gathered:
    """A gathered file: its pieces, and the bars of all of them in that order."""

    pieces: Sequence[_Piece]
    bars: ResampledBars
    ends: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        ends = list(accumulate((piece.rows for piece in self.pieces), initial=0))
        if ends[-1] != len(self.bars):
            raise ValueError("its pieces have other bars than it")
        object.__setattr__(self, "ends", ends)

    def in_common(self, files: Mapping[str, FileIdentity]) -> int:
        """How many pieces at its front are those of the files."""
        count = 0
        for (name, identity), piece in zip(files.items(), self.pieces, strict=False):
            if piece.name != name or piece.identity != identity:
                break
            count += 1
        return count


def read_gathered(
    directory: Directory, symbol: str, interval: Interval, files: Mapping[str, FileIdentity]
) -> tuple[ResampledBars, dict[str, str]]:
    """The bars of one interval of files of silver, and the fingerprint of each file.

    Args:
        directory: The lake.
        symbol: The symbol.
        interval: The interval.
        files: The files in the order of time, relative to the lake, with what was listed of them.

    Raises:
        ContentError: A file of silver is damaged.
        StorageError: One cannot be read.
    """
    parts: list[ResampledBars] = []
    fingerprints: dict[str, str] = {}
    for year, names in groupby(files, key=_year):
        of_year = {name: files[name] for name in names}
        found = _of_year(directory, symbol, interval, year, of_year)
        parts.append(found.bars)
        fingerprints |= {piece.name: piece.fingerprint for piece in found.pieces}
    return joined_bars(parts, no_bars(symbol)), fingerprints


def no_bars(symbol: str) -> ResampledBars:
    """No bars of a symbol."""
    none = np.empty(0, np.int64)
    ends = np.empty(0, "datetime64[ns]")
    return ResampledBars(bars=Bars.empty(symbol), available_at=ends, expected=none, present=none)


def _of_year(
    directory: Directory,
    symbol: str,
    interval: Interval,
    year: str,
    files: Mapping[str, FileIdentity],
) -> _Gathered:
    """The files of a year, as far as possible from what is kept of them."""
    worthwhile = len(files) >= WORTHWHILE
    place = f"{next(iter(files)).rpartition('/')[0]}/.{interval}-{year}.gathered"
    nothing = _Gathered((), no_bars(symbol))
    kept = _kept(directory, place, symbol, interval) or nothing if worthwhile else nothing
    settled = {name for name, one in files.items() if directory.is_settled(one)}
    found = _completed(directory, symbol, interval, files, kept)
    known = {piece.name for piece in kept.pieces if files.get(piece.name) == piece.identity}
    if worthwhile and settled - known:
        _keep(directory, place, symbol, interval, _only(found, settled, symbol))
    return found


def _completed(
    directory: Directory,
    symbol: str,
    interval: Interval,
    files: Mapping[str, FileIdentity],
    kept: _Gathered,
) -> _Gathered:
    """All files: those that are kept as they are now, and the others read."""
    same = kept.in_common(files)
    pieces = list(kept.pieces[:same])
    parts = [kept.bars[: kept.ends[same]]]
    later = {piece.name: at for at, piece in enumerate(kept.pieces[same:], same)}
    for name, identity in list(files.items())[same:]:
        at = later.get(name)
        if at is not None and kept.pieces[at].identity == identity:
            piece, bars = kept.pieces[at], kept.bars[kept.ends[at] : kept.ends[at + 1]]
        else:
            bars, fingerprint = read_bars(directory, name, SILVER, symbol, interval)
            piece = _Piece(name, identity, fingerprint, len(bars))
        pieces.append(piece)
        parts.append(bars)
    return _Gathered(pieces, joined_bars(parts, kept.bars))


def _only(found: _Gathered, names: set[str], symbol: str) -> _Gathered:
    """The pieces of these files."""
    if all(piece.name in names for piece in found.pieces):
        return found
    chosen = [at for at, piece in enumerate(found.pieces) if piece.name in names]
    parts = [found.bars[found.ends[at] : found.ends[at + 1]] for at in chosen]
    return _Gathered([found.pieces[at] for at in chosen], joined_bars(parts, no_bars(symbol)))


def _kept(directory: Directory, place: str, symbol: str, interval: Interval) -> _Gathered | None:
    """A gathered file; None when there is none that can be used.

    Raises:
        StorageError: The place cannot be asked.
    """
    try:
        stored = read_file(directory, place, DATASET, symbol)
        bars = bars_in(directory.url_of(place), stored.table, SILVER, symbol, interval)
        pieces = [
            _Piece(name, FileIdentity(size, version), fingerprint, rows)
            for name, size, version, fingerprint, rows in json.loads(stored.metadata["pieces"])
        ]
        return _Gathered(pieces, bars)
    except StorageError as error:
        if error.transient:
            raise
    except (ContentError, ValueError, LookupError, TypeError):
        pass  # half of it is another program's: it is made again
    return None


def _keep(
    directory: Directory, place: str, symbol: str, interval: Interval, found: _Gathered
) -> None:
    """Keep what was read; when that fails the next reader reads the files again."""
    pieces = [
        [one.name, one.identity.size, one.identity.version, one.fingerprint, one.rows]
        for one in found.pieces
    ]
    lineage = FileLineage(
        dataset=DATASET,
        symbol=symbol,
        fingerprint=digest(pieces),
        flow_run_id="",
        more={"pieces": json.dumps(pieces, separators=(",", ":"))},
    )
    with suppress(StorageError):
        write_file(directory, place, table_of(found.bars, interval, SILVER), lineage)


def _year(name: str) -> str:
    """The year that a file's name begins with, whether a session's or a month's."""
    return name.rpartition("/")[2][:4]
