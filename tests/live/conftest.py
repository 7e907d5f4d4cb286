"""A real Valkey and a real Kafka-API broker for each process of tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from confluent_kafka import Producer

from live.bus.kafka.connection import DEAD_LETTERS, topic_name
from servers.postgres.local import PostgresServer
from servers.valkey import ValkeyServer, local_valkey
from tests.database.conftest import (  # noqa: F401 - fixtures of this folder
    copied_database,
    database,
    database_url,
    migrated_database,
    postgres,
)
from tests.live.day import write_lakes
from tests.live.tansu import Tansu, running_tansu
from trading.events import Stream

SECONDS = 60.0
_LOGGER = logging.getLogger(__name__)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with local_valkey(tmp_path_factory.mktemp("bus") / "valkey") as server:
        yield server


@pytest.fixture
def bus_url(valkey: ValkeyServer) -> str:
    """The URL of a bus with nothing in it."""
    redis.Redis.from_url(valkey.url).flushall()
    return valkey.url


@pytest.fixture
def kafka_url() -> Iterator[str]:
    """The URL of librdkafka's own broker with nothing in it: it lives as long as its client."""
    cluster = Producer({"test.mock.num.brokers": 1, "logger": _LOGGER})
    brokers = cluster.list_topics(timeout=SECONDS).brokers
    for name in [*(topic_name(stream) for stream in Stream), DEAD_LETTERS]:
        # It has no controller to make topics by; asking after one makes it.
        cluster.list_topics(name, timeout=SECONDS)
    address = next(iter(brokers.values()))
    yield f"kafka://{address.host}:{address.port}"
    del cluster


@pytest.fixture
def tansu() -> Iterator[Tansu]:
    """A broker that makes topics, in memory: begun again it has nothing."""
    with running_tansu() as broker:
        yield broker


@pytest.fixture
def tansu_url(tansu: Tansu) -> str:
    """The URL of such a broker."""
    return tansu.url


@pytest.fixture(scope="session")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A lake up to the day before `DAY`, and one with it."""
    morning, evening = (tmp_path_factory.mktemp(name) for name in ("morning", "evening"))
    write_lakes(morning, evening)
    return morning, evening


@pytest.fixture
def other_database_url(postgres: PostgresServer, migrated_database: str) -> Iterator[str]:  # noqa: F811
    """The URL of a second database with the schema and no rows."""
    with copied_database(postgres, migrated_database) as url:
        yield url
