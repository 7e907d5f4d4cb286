"""Where an ingestion puts its bars: one directory holds bars of one interval.

Bars of an interval that a directory does not hold go to a sub-folder of it that is called like the
interval, e.g. `input/1d`. So neither set is lost, and no two are ever in one file or portfolio.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from adapters.market_data.protocol import CloseInterval
from lake.market.ingestion.stored import finish_interrupted, has_files, is_ingested
from lake.market.inputs import MarketData
from lake.market.manifest import Manifest, read_manifest
from storage.directory import Directory, open_directory
from storage.errors import ContentError, StorageError
from storage.location import below
from trading.arrays import Timestamps
from trading.errors import DataError, ParameterError
from trading.instruments.clock import local_times


@dataclass(frozen=True, slots=True)
class Place:
    """A directory for the input files, and what it holds before the ingestion.

    Attributes:
        directory: The directory.
        manifest: What the last ingestion into it said, None without one.
        ingested: Whether it holds exactly what that ingestion wrote.
        interval: Length of the bars in it; None without any that can be read.
        folder: Its name below the directory that was asked for; None when it is that one.
    """

    directory: Directory
    manifest: Manifest | None
    ingested: bool
    interval: str | None
    folder: str | None = field(default=None)


def place_for(directory: Directory, interval: CloseInterval) -> Place:
    """The directory for bars of this interval: the one asked for, or the interval's own below it.

    Undoes there what an ingestion that was killed has left.

    Raises:
        ParameterError: Both hold bars of another interval.
        StorageError: The files cannot be read.
    """
    asked = _seen(directory, None)
    if asked.interval in (None, interval.value):
        return asked
    own = _seen(open_directory(below(directory.url, interval.value), "input_dir"), interval.value)
    if own.interval not in (None, interval.value):
        raise ParameterError(
            "interval",
            interval.value,
            f"that of the bars in {own.directory.url}, {own.interval!r}",
            "move them away, or pass another input_dir",
        )
    return own


def _seen(directory: Directory, folder: str | None) -> Place:
    finish_interrupted(directory)
    manifest = read_manifest(directory)
    if not has_files(directory):
        return Place(directory, manifest, ingested=False, interval=None, folder=folder)
    ingested = is_ingested(directory, manifest)
    known = manifest.interval if manifest is not None and ingested else _interval(directory)
    return Place(directory, manifest, ingested, known, folder)


def _interval(directory: Directory) -> str | None:
    """The interval of files that somebody else put there; None when they cannot be read."""
    try:
        return interval_of(MarketData(directory).timestamps())
    except (DataError, ContentError):
        return None
    except StorageError as error:
        if error.transient:
            raise
        return None


def interval_of(timestamps: Timestamps) -> str:
    """`1d` when no New York date has two bars, else `1h`.

    Args:
        timestamps: Bar starts, UTC, shape (n,).
    """
    dates = local_times(timestamps).astype("datetime64[D]")
    daily = len(np.unique(dates)) == len(timestamps)
    interval = CloseInterval.DAY if daily else CloseInterval.HOUR
    return interval.value
