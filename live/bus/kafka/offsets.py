"""Places in a topic, which has several partitions, as one text: `0:17,1:4`."""

from __future__ import annotations

from collections.abc import Mapping

from live.errors import BusError


def offset_text(positions: Mapping[int, int]) -> str:
    """The text for the next offset of each partition."""
    return ",".join(f"{partition}:{positions[partition]}" for partition in sorted(positions))


def positions_of(text: str) -> dict[int, int]:
    """The next offset of each partition.

    Raises:
        BusError: The text is no offset of a bus on Kafka.
    """
    try:
        pairs = (part.split(":") for part in text.split(","))
        return {int(partition): int(offset) for partition, offset in pairs}
    except ValueError:
        raise BusError(f"{text!r} is no offset of a bus on Kafka; read from another.") from None
