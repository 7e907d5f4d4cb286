"""One node's scheduler: a pod gets its place as soon as what it asks for is left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from tests.charts.kubernetes_api.objects import Manifest

_UNITS = {
    "m": Fraction(1, 1000),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
}
_RESOURCES = ("cpu", "memory")

Amounts = Mapping[str, Fraction]
"""Resource -> how much of it; memory in bytes."""


def amounts(quantities: Mapping[str, str]) -> Amounts:
    """CPU and memory of a container's requests, or of a node."""
    return {name: _amount(str(quantities[name])) for name in _RESOURCES}


def _amount(quantity: str) -> Fraction:
    number = quantity.rstrip("mKMGi")
    return Fraction(number) * _UNITS.get(quantity.removeprefix(number), Fraction(1))


def total(of: Iterable[Amounts]) -> Amounts:
    """The sum of amounts."""
    every = list(of)
    return {name: sum((one[name] for one in every), Fraction()) for name in _RESOURCES}


def requested(spec: Manifest) -> Amounts:
    """What a pod reserves. One of its containers that run before it asks for no more."""
    return total(amounts(one["resources"]["requests"]) for one in spec["containers"])


@dataclass
class Scheduler:
    """Gives places on one node.

    Attributes:
        pods: Most pods that have a place at once.
        free: What is left of the node's CPU and memory; None for a node that has enough.
    """

    pods: int
    free: Amounts | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def fits(self, spec: Manifest) -> bool:
        """Whether there is a place for a pod now."""
        if self.pods < 1:
            return False
        free, wanted = self.free, requested(spec)
        return free is None or all(free[name] >= wanted[name] for name in _RESOURCES)

    async def place(self, spec: Manifest) -> None:
        """Give a pod its place, once there is one."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.fits(spec))
            self._take(spec, 1)

    async def clear(self, spec: Manifest) -> None:
        """Take back a pod's place."""
        async with self.changed:
            self._take(spec, -1)
            self.changed.notify_all()

    def _take(self, spec: Manifest, sign: int) -> None:
        self.pods -= sign
        if self.free is not None:
            wanted = requested(spec)
            self.free = {name: self.free[name] - sign * wanted[name] for name in _RESOURCES}
