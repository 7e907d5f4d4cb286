"""A real bus for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from live.bus.opening import open_bus
from live.bus.port import Bus
from tests.live.conftest import bus_url, valkey  # noqa: F401 - fixtures of this folder


@pytest.fixture
def bus(bus_url: str) -> Iterator[Bus]:  # noqa: F811 - the fixture
    with open_bus(bus_url) as opened:
        yield opened
