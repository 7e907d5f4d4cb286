"""The lake: datasets of bars, indicators and signals, and ways to read them.

`lake.connect()` gives SQL over all of it, `lake.read(...)` one dataset as an Arrow table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lake.reading import read
    from lake.sql import LakeConnection, connect

__all__ = ["LakeConnection", "connect", "read"]


def __getattr__(name: str) -> object:
    """Load what reads the lake when it is asked for: a partition's process needs none of it."""
    if name in ("connect", "LakeConnection"):
        from lake import sql  # noqa: PLC0415 - see above

        return getattr(sql, name)
    if name == "read":
        from lake.reading import read  # noqa: PLC0415 - see above

        return read
    raise AttributeError(f"module 'lake' has no attribute {name!r}")
