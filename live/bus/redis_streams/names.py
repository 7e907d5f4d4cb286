"""The names of the bus's keys in Redis; all begin alike, so that others may share the server."""

from __future__ import annotations

from trading.events import Stream

DEAD_LETTERS = "trading:dead-letters"


def stream_name(stream: Stream) -> str:
    """Where a stream's entries are."""
    return f"trading:{stream}"


def trimmed_name(stream: Stream) -> str:
    """Where the ID of the last entry is that was trimmed."""
    return f"trading:{stream}:trimmed"


def lease_name(stream: Stream, group: str) -> str:
    """Where it is said who reads for a group."""
    return f"trading:{stream}:lease:{group}"
