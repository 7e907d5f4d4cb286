"""Polygon's stand-in, and a source that reads it without waiting."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import massive
import pytest
from pydantic import SecretStr

from adapters.market_data.bar_source import Delivery
from adapters.market_data.pacing import RequestPacer
from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.client import Patience
from adapters.market_data.rest.polygon import PolygonSource
from tests.adapters.pacers import paced
from tests.adapters.polygon_server import KEY, Bar, PolygonServer
from trading.bars.intervals import Interval
from trading.instruments.clock import NEW_YORK

START = datetime(2024, 7, 1, tzinfo=NEW_YORK)
END = datetime(2024, 7, 4, tzinfo=NEW_YORK)
OPEN = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[PolygonServer]:
    running = PolygonServer()
    with running.running():
        yield running


@pytest.fixture
def source(server: PolygonServer) -> PolygonSource:
    return source_of(server.url)


def source_of(
    url: str, key: str = KEY, pacer: RequestPacer | None = None, **patience: float
) -> PolygonSource:
    return PolygonSource(
        SecretStr(key),
        base_url=url,
        pacer=pacer or paced(1_000)[0],
        patience=Patience(**patience),
    )


def minutes(count: int, start: datetime = OPEN) -> list[Bar]:
    """Bars of count minutes; every third without a vwap, volumes with fractions."""
    return [
        Bar(
            start + timedelta(minutes=i),
            100.0 + i,
            101.5 + i,
            99.25 + i,
            100.5 + i,
            1_000.125 + i,
            None if i % 3 == 2 else 100.25 + i,
            10 + i,
        )
        for i in range(count)
    ]


def fetched(source: PolygonSource, interval: Interval = Interval.MINUTE) -> Delivery:
    return source.bars("AAPL", interval, START, END)


def refused(source: PolygonSource) -> SourceError:
    with pytest.raises(SourceError) as raised:
        fetched(source)
    assert raised.value.symbol == "AAPL"
    return raised.value


def own_client(server: PolygonServer) -> massive.RESTClient:
    return massive.RESTClient(KEY, base=server.url, retries=0)
