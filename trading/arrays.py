"""The arrays that the domain's functions take and give."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Timestamps = npt.NDArray[np.datetime64]
"""Bar starts as `datetime64[ns]` in UTC, strictly increasing, shape (n,)."""

Floats = npt.NDArray[np.float64]
"""Float64 of shape (n,); NaN where a value is missing."""
