"""Events as bytes, by msgspec's MessagePack, and back.

What cannot be read, of an unknown version among it, comes back as it is with the reason, so that
it can be kept aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from trading.events import EVENT_OF, Event, Stream

_ENCODER = msgspec.msgpack.Encoder()
_RAW_DECODER = msgspec.msgpack.Decoder(list[msgspec.Raw])
_ONE: dict[Stream, msgspec.msgpack.Decoder[Any]] = {
    stream: msgspec.msgpack.Decoder(kind) for stream, kind in EVENT_OF.items()
}
_MANY: dict[Stream, msgspec.msgpack.Decoder[Any]] = {
    stream: msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type]
    for stream, kind in EVENT_OF.items()
}
_VERSIONS = {
    stream: next(field.default for field in msgspec.structs.fields(kind) if field.name == "version")
    for stream, kind in EVENT_OF.items()
}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no event of a version that this program knows.

    Attributes:
        payload: The bytes.
        reason: What is wrong with them.
    """

    payload: bytes
    reason: str


def encoded(stream: Stream, event: Event) -> bytes:
    """One event as bytes.

    Raises:
        TypeError: The stream carries events of another type.
    """
    _check(stream, event)
    return _ENCODER.encode(event)


def encoded_together(stream: Stream, events: Sequence[Event]) -> bytes:
    """Several events as the bytes of one list.

    Raises:
        TypeError: The stream carries events of another type.
    """
    for event in events:
        _check(stream, event)
    return _ENCODER.encode(events)


def decoded(stream: Stream, payload: bytes) -> Event | Unreadable:
    """The event that bytes of `encoded` are."""
    try:
        event: Event = _ONE[stream].decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Unreadable(payload, str(error))
    if event.version != _VERSIONS[stream]:
        return Unreadable(payload, f"version {event.version} of a {stream} event is unknown")
    return event


def decoded_together(stream: Stream, payload: bytes) -> tuple[list[Event], list[Unreadable]]:
    """The events that bytes of `encoded_together` are, and what among them cannot be read."""
    known = _VERSIONS[stream]
    try:
        events: list[Event] = _MANY[stream].decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _one_by_one(stream, payload)
    if all(event.version == known for event in events):
        return events, []
    return _one_by_one(stream, payload)


def _one_by_one(stream: Stream, payload: bytes) -> tuple[list[Event], list[Unreadable]]:
    try:
        parts = _RAW_DECODER.decode(payload)
    except msgspec.DecodeError as error:
        return [], [Unreadable(payload, str(error))]
    return _sorted_out(decoded(stream, bytes(part)) for part in parts)


def _sorted_out(found: Iterable[Event | Unreadable]) -> tuple[list[Event], list[Unreadable]]:
    events: list[Event] = []
    unreadable: list[Unreadable] = []
    for one in found:
        if isinstance(one, Unreadable):
            unreadable.append(one)
        else:
            events.append(one)
    return events, unreadable


def _check(stream: Stream, event: Event) -> None:
    if type(event) is not EVENT_OF[stream]:
        raise TypeError(f"the stream {stream} carries no {type(event).__name__}")
