"""What a silver file is made of, as a text to hash: its sessions' hours and their bronze."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lake.fingerprints import DIGEST_BYTES
from lake.silver.bronze_rows import Bronze
from trading.bars.model import VALUES, Bars
from trading.instruments.calendar import Sessions


def digest(*parts: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """32 hexadecimal digits of the parts' canonical JSON."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def hours(within: Sessions) -> list[list[int]]:
    """Open and close of each session in nanoseconds since 1970."""
    edges: list[list[int]] = np.stack(
        [within.opens.view(np.int64), within.closes.view(np.int64)], axis=1
    ).tolist()
    return edges


def files_by_session(
    bronze: Bronze, within: Sessions, fingerprints: Mapping[str, str]
) -> list[list[tuple[str, str]]]:
    """Of each session the bronze files that count for it, with their fingerprints."""
    return [
        [(file.name, fingerprints[file.name]) for file in bronze.covering(day)]
        for day in within.dates.tolist()
    ]


def canonical_rows(bars: Bars) -> list[str]:
    """Each bar as hexadecimal digits, with one NaN and one zero: equal where the bars are."""
    columns: Sequence[Any] = [getattr(bars, name) for name in VALUES]
    rows = np.empty((len(bars), 1 + len(columns)), "<i8")
    rows[:, 0] = bars.timestamps.astype("datetime64[ns]").view(np.int64)
    for at, values in enumerate(columns, 1):
        plain = np.where(np.isnan(values), np.nan, values + 0.0)
        rows[:, at] = plain.astype("<f8").view("<i8")
    return [row.tobytes().hex() for row in rows]
