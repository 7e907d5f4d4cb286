"""Series as the charts take them."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from fastapi import Response

from trading.arrays import Floats, Timestamps
from trading.instruments.clock import local_times

_HEADERS = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}


def chart_times(timestamps: Timestamps) -> tuple[list[int], npt.NDArray[np.bool_]]:
    """Seconds for the charts' axis, and which rows they are of.

    The charts write UTC, so the clock of New York is handed to them as if it were that. When it is
    set back, one hour comes twice: of equal or falling seconds the later row counts.

    Args:
        timestamps: UTC, increasing, shape (n,).
    """
    seconds = local_times(timestamps).astype("datetime64[s]").astype(np.int64)
    later = np.minimum.accumulate(seconds[::-1])[::-1]
    kept = np.ones(len(seconds), np.bool_)
    kept[:-1] = seconds[:-1] < later[1:]
    return seconds[kept].tolist(), kept


def plain(values: Floats) -> list[float | None]:
    """Numbers as JSON has them: null for none."""
    return [value if np.isfinite(value) else None for value in values.tolist()]


def json_response(data: Any) -> Response:  # noqa: ANN401 - whatever JSON has
    """Data for a page's own scripts."""
    return Response(msgspec.json.encode(data), 200, _HEADERS, "application/json")
