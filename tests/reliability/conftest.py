"""A server that tests may kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.outages import MortalServer, mortal_server


@pytest.fixture(scope="session")
def own_server(
    migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MortalServer]:
    """A server of each process of tests that needs it, beside the one that outlives all tests."""
    with mortal_server(migrated(tmp_path_factory.mktemp("own-server"))) as running:
        yield running
