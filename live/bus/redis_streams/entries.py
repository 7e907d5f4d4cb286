"""What stands in an entry of a Redis stream: up to some hundred events, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from live.bus.encoding import Unreadable, decoded_together, encoded_together
from live.bus.port import Batch
from trading.events import Event, Stream

EVENTS_PER_ENTRY = 500
"""Most events in one entry: one by one they cost the server and both clients ten times as much."""

FIELD = b"events"

Entry = tuple[bytes, dict[bytes, bytes]]
"""An entry as the client gives it: its ID and its fields."""

ZERO = "0-0"
_MILLISECOND = 1_000_000


def entries_of(stream: Stream, events: Iterable[Event]) -> Iterator[bytes]:
    """The contents of the entries for these events, in order.

    Raises:
        TypeError: The stream carries events of another type.
    """
    rest = iter(events)
    while together := list(islice(rest, EVENTS_PER_ENTRY)):
        yield encoded_together(stream, together)


def id_numbers(entry_id: str) -> tuple[int, int]:
    """An entry's ID as the two numbers that order it.

    Raises:
        ValueError: It is none.
    """
    milliseconds, sequence = entry_id.split("-")
    return int(milliseconds), int(sequence)


def batch_of(
    stream: Stream, entries: Sequence[Entry], offset: str, *, missed: bool = False
) -> tuple[Batch, list[tuple[str, Unreadable]]]:
    """The events of entries, and what of them cannot be read, with the ID of its entry.

    Args:
        stream: What they were read from.
        entries: The entries in order.
        offset: The offset when there are none.
        missed: Whether entries before these were trimmed unread.
    """
    events: list[Event] = []
    times: list[int] = []
    unreadable: list[tuple[str, Unreadable]] = []
    for raw_id, fields in entries:
        offset = raw_id.decode()
        found, bad = _contents(stream, fields)
        events += found
        times += [id_numbers(offset)[0] * _MILLISECOND] * len(found)
        unreadable += [(offset, one) for one in bad]
    receipt = [raw_id for raw_id, _ in entries]
    return Batch(events, times, offset, missed, receipt), unreadable


def _contents(stream: Stream, fields: dict[bytes, bytes]) -> tuple[list[Event], list[Unreadable]]:
    payload = fields.get(FIELD)
    if payload is None:
        return [], [Unreadable(repr(fields).encode(), "the entry holds no events")]
    return decoded_together(stream, payload)
