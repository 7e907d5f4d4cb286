"""Places in a topic, which has several partitions, as one text.

`0:17:1730000000000.9af3b2c1,1:4` is after the message at 16 of the first, and at 4 of the second.
"""

from __future__ import annotations

from collections.abc import Mapping

from live.bus.kafka.places import Place
from live.errors import BusError


def offset_text(places: Mapping[int, Place]) -> str:
    """The text for the place in each partition."""
    return ",".join(_text(number, places[number]) for number in sorted(places))


def places_of(text: str) -> dict[int, Place]:
    """The place in each partition.

    Raises:
        BusError: The text is no offset of a bus on Kafka.
    """
    try:
        return dict(_place(part) for part in text.split(","))
    except ValueError:
        raise BusError(f"{text!r} is no offset of a bus on Kafka; read from another.") from None


def _text(number: int, place: Place) -> str:
    return f"{number}:{place.next}" + f":{place.mark}" * bool(place.mark)


def _place(part: str) -> tuple[int, Place]:
    number, following, *mark = part.split(":")
    place = Place(int(following), *mark[:1])
    if place.mark:
        int(place.mark.partition(".")[0])
    return int(number), place
