"""The command as users start it, whose servers this room's are."""

from __future__ import annotations

from tests.cli.conftest import run, start  # noqa: F401 - fixtures of this room
