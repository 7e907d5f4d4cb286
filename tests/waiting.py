"""Waiting for a condition, not for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_SECONDS = 600.0
"""How long a condition may take to hold; the machine may be slow, and busy with other tests."""


def wait_until(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Return when the condition holds; fail with `what` when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting until {what}"
        time.sleep(0.02)
