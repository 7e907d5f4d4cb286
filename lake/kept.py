"""What a process computed last, kept for as long as it makes partitions of the same inputs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

KEPT = 4
"""How many results a process keeps, unless said: it makes the partitions of few symbols at once."""

T = TypeVar("T")


class Kept:
    """What a process computed last, by what it was computed from.

    One thread at a time computes: the others mostly wait for the same.
    """

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What was kept under a key, or is computed now."""
        with self._lock:
            if key not in self._found:
                self._found[key] = compute()
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)
            found: T = self._found[key]
            return found
