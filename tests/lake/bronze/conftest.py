"""A lake in a folder, and retries that do not wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lake.bronze.deliveries import Lake
from tests.markets import _retries_without_waiting  # noqa: F401 - a fixture of this room


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")
