"""Commands, for what a server of their own is to them."""

from __future__ import annotations

from tests.cli.conftest import run, start  # noqa: F401 - fixtures of this room
