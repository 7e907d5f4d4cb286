"""A lake to be compacted, for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lake.bronze.deliveries import Lake, minutes
from tests.lake.compaction.filled import FIRST, LAST, Filled


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    rows = minutes(first=FIRST, last=LAST)
    found = Filled(Lake(tmp_path / "lake"), rows, tmp_path / "in")
    found.ingest(rows)
    found.build()
    assert found.due() == []
    return found
