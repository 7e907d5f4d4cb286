"""A small market, and retries that do not wait."""

from __future__ import annotations

from tests.markets import (  # noqa: F401 - fixtures of this room
    _retries_without_waiting,
    input_dir,
    market,
)
