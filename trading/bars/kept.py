"""Bars of which a fast store keeps the later part, and an archive all: one answer from both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from trading.bars.model import Bars, joined

ReadBars = Callable[[datetime, datetime], Bars]
"""Reads the bars of one symbol and interval that start in [start, end), in order of time."""


def bars_across(
    kept_since: datetime, start: datetime, end: datetime, *, archive: ReadBars, store: ReadBars
) -> Bars:
    """The bars that start in [start, end): older ones from the archive, the others from the store.

    The border is that of the rule, not of what the store happens to have: what the rule no longer
    keeps may be there still, whole or in part, and is not asked for.

    Args:
        kept_since: From when on the store keeps bars; time-zone aware, as all moments here.
        start: First moment at which a bar may start.
        end: The moment before which bars start.
        archive: Reads the archive.
        store: Reads the store.
    """
    if start >= kept_since:
        return store(start, end)
    if end <= kept_since:
        return archive(start, end)
    older = archive(start, kept_since)
    return joined([older, store(kept_since, end)], older.symbol)
