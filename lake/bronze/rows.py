"""The rows of a bronze file: from bars to a table and back, and their fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lake.bronze.keys import BronzeKey
from lake.files import FileLineage, is_stored, read_file, stored_metadata, write_file
from storage.directory import Directory
from storage.errors import ContentError
from storage.parquet.arrays import Floats, float_column, floats, integers, timestamp_column
from trading.bars.model import VALUES, Bars
from trading.bars.quality.ohlc import SessionPrices

DATASET = "bronze"
SCHEMA_VERSION = "1"
"""Of the columns and what they mean; another one makes every partition stale."""

SESSIONS, REVISION = "sessions", "revision"
"""Entries of a footer: what each session came to, and how often the rows have changed."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredBars:
    """What a bronze file holds.

    Attributes:
        bars: Its bars.
        fingerprint: Its fingerprint.
        revision: How often its rows have changed since they were first written.
    """

    bars: Bars
    fingerprint: str
    revision: int


def fingerprint(key: BronzeKey, bars: Bars) -> str:
    """Hash of the rows, the source and the version: equal rows have equal fingerprints.

    The version comes first in plain text, so that it can be told without knowing the rows.
    """
    hasher = hashlib.blake2b(digest_size=16)
    identity = [SCHEMA_VERSION, key.source, key.interval.value, key.symbol, key.stretch.stem]
    hasher.update(json.dumps(identity).encode())
    hasher.update(bars.timestamps.astype("datetime64[ns]").astype("<i8").tobytes())
    for name in VALUES:
        hasher.update(_canonical(getattr(bars, name)).tobytes())
    return f"{SCHEMA_VERSION}-{hasher.hexdigest()}"


def version_of(known: str) -> str:
    """The schema version in a fingerprint."""
    return known.partition("-")[0]


def read_bars(directory: Directory, key: BronzeKey) -> StoredBars | None:
    """The bars of a partition; None when it has no file.

    Raises:
        ContentError: The file is damaged or of another symbol.
        StorageError: It cannot be read.
    """
    if not is_stored(directory, key.relative_path):
        return None
    stored = read_file(directory, key.relative_path, DATASET, key.symbol)
    table = stored.table
    try:
        bars = Bars(
            symbol=key.symbol,
            timestamps=integers(table["timestamp"]).view("datetime64[us]").astype("datetime64[ns]"),
            **{name: floats(table[name]) for name in VALUES},
        )
    except (KeyError, pa.ArrowException) as error:
        url, again = directory.url_of(key.relative_path), "remove it and ingest again"
        raise ContentError(url, "it lacks a column of bronze", again) from error
    known = stored.metadata["fingerprint"]
    if known != fingerprint(key, bars):
        url, again = directory.url_of(key.relative_path), "remove it and ingest again"
        raise ContentError(url, "its rows are not those of its fingerprint", again)
    return StoredBars(bars, known, int(stored.metadata.get(REVISION, "0")))


def write_bars(
    directory: Directory,
    key: BronzeKey,
    bars: Bars,
    *,
    sessions: SessionPrices,
    revision: int,
    flow_run_id: str,
) -> str:
    """Write a partition whole and return its URL.

    Args:
        directory: The lake.
        key: The partition.
        bars: Its rows.
        sessions: What its sessions came to, for the footer.
        revision: How often its rows have changed.
        flow_run_id: The run that writes it.

    Raises:
        StorageError: It cannot be written; an earlier file is still there.
    """
    lineage = FileLineage(
        dataset=DATASET,
        symbol=key.symbol,
        fingerprint=fingerprint(key, bars),
        flow_run_id=flow_run_id,
        more={
            "source": key.source,
            "interval": key.interval.value,
            REVISION: str(revision),
            SESSIONS: _sessions_text(sessions),
        },
    )
    return write_file(directory, key.relative_path, bars_table(bars), lineage)


def bars_table(bars: Bars) -> pa.Table:
    """Bars as the table of a file, NaN as null."""
    columns = {"timestamp": timestamp_column(bars.timestamps, "UTC")}
    columns |= {name: float_column(_canonical(getattr(bars, name))) for name in VALUES}
    return pa.table(columns)


def read_sessions(directory: Directory, key: BronzeKey) -> SessionPrices | None:
    """What the sessions of a stored partition came to, from its footer alone.

    Raises:
        StorageError: The file cannot be accessed.
    """
    metadata: Mapping[str, str] = stored_metadata(directory, key.relative_path, DATASET, key.symbol)
    rows = json.loads(metadata.get(SESSIONS, "[]"))
    if not rows:
        return None
    dates, *values = zip(*rows, strict=True)
    opened, closed, volume = (np.array(column, np.float64) for column in values)
    return SessionPrices(
        dates=np.array(dates, "datetime64[D]"), open=opened, close=closed, volume=volume
    )


def _sessions_text(sessions: SessionPrices) -> str:
    columns = (sessions.open.tolist(), sessions.close.tolist(), sessions.volume.tolist())
    rows = zip(map(str, sessions.dates), *columns, strict=True)
    return json.dumps(list(rows), separators=(",", ":"))


def _canonical(values: Floats) -> Floats:
    """Little-endian, with one bit pattern for NaN and one for zero."""
    return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8")
