"""Which bars of a batch a later batch has already spoken of.

Batches may come in any order. A bar is what the latest batch with it says, and a row alone cannot
tell: it keeps the moment when its values became known, not the last one at which they were
confirmed, since what did not change is not written. So each load notes the bars it was about.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from database.bars.batch import BarBatch
from trading.arrays import Timestamps

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

# Of two batches of one moment that say different things, one counts for good: the digest decides.
_LATER = """
SELECT timestamps FROM load_run
WHERE symbol = $1 AND interval = $2 AND status = 'loaded' AND (known_at, digest) > ($3, $4)
    AND first_ts <= $5 AND last_ts >= $6
"""


def not_superseded(cursor: Cursor, batch: BarBatch) -> npt.NDArray[np.bool_]:
    """Which bars no later batch is about, shape (n,).

    Args:
        cursor: In the transaction that loads the batch.
        batch: The batch.
    """
    first, last = batch.rows.column("ts")[0].as_py(), batch.rows.column("ts")[-1].as_py()
    cursor.execute(
        _LATER,
        (batch.symbol, batch.interval.value, batch.known_at, batch.digest, last, first),
    )
    kept = np.ones(len(batch), np.bool_)
    for (packed,) in cursor.fetchall():
        kept &= ~np.isin(batch.timestamps, unpacked(packed), assume_unique=True)
    return kept


def packed(timestamps: Timestamps) -> bytes:
    """Strictly increasing timestamps in few bytes: most steps between bars are the same."""
    steps = np.diff(timestamps.astype("datetime64[us]").astype(np.int64), prepend=0)
    return zlib.compress(steps.astype("<i8").tobytes(), level=1)


def unpacked(data: bytes) -> Timestamps:
    """The timestamps that `packed` was given, as `datetime64[ns]`."""
    steps = np.frombuffer(zlib.decompress(data), "<i8")
    stamps: Timestamps = np.cumsum(steps).astype("datetime64[us]").astype("datetime64[ns]")
    return stamps
