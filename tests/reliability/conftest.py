"""A server that tests may kill, and whose pool no other test's worker serves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.outages import MortalServer, mortal_server


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MortalServer]:
    """A server for one test at a time: one for each process of tests that needs it.

    The session's server serves several at once: a worker started there would take the runs of
    others' tests, and nobody may kill it.
    """
    with mortal_server(tmp_path_factory.mktemp("own-server")) as running:
        yield running
