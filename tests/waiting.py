"""Waiting for a condition, not for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_SECONDS = 600.0
"""How long a condition may take to hold; the machine may be slow, and busy with other tests."""


def wait_until(
    condition: Callable[[], object],
    what: str | Callable[[], str],
    seconds: float = WAIT_SECONDS,
) -> None:
    """Return when the condition holds; fail with `what` when it never does.

    Args:
        condition: What is waited for.
        what: What it is, in words; a function where they tell how things are at the end, as by a
            log.
        seconds: How long it may take.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            words = what if isinstance(what, str) else what()
            raise AssertionError(f"timed out waiting until {words}")
        time.sleep(0.02)
