from __future__ import annotations

from datetime import timedelta

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

from live.bus.kafka.bus import KafkaBus
from live.bus.kafka.connection import PARTITIONS, Brokers
from live.bus.opening import open_bus
from live.bus.retention import Retention
from live.errors import BusUnreachableError
from trading.errors import ParameterError
from trading.events import Stream, Tick


def test_it_makes_its_topics_with_the_age_of_each_stream(tansu_url: str) -> None:
    with open_bus(tansu_url, Retention(ticks_hours=2)) as bus:
        bus.publish(Stream.TICKS, "A", Tick("A", 1, 2.0, 3.0, 4))
    with KafkaBus(tansu_url):  # they are there already
        pass
    admin = AdminClient({"bootstrap.servers": tansu_url.removeprefix("kafka://")})
    topics = admin.list_topics(timeout=60).topics
    assert {f"trading.{stream}" for stream in Stream} <= set(topics)
    assert len(topics["trading.ticks"].partitions) == PARTITIONS
    resource = ConfigResource(ConfigResource.Type.TOPIC, "trading.ticks")
    (described,) = admin.describe_configs([resource]).values()
    kept = described.result(60)["retention.ms"].value
    assert int(kept) == timedelta(hours=2) / timedelta(milliseconds=1)


def test_a_broker_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(BusUnreachableError, match=r"The bus at 127\.0\.0\.1:1 cannot be reached"):
        KafkaBus("kafka://127.0.0.1:1", patience_seconds=0.5)


def test_a_login_is_asked_over_tls_and_shown_nowhere() -> None:
    brokers = Brokers.of("kafka://some:s%40cret@a:9093,b:9093?sasl.mechanism=PLAIN")
    assert brokers.place == "a:9093,b:9093"
    assert brokers.settings["security.protocol"] == "SASL_SSL"
    assert brokers.settings["sasl.mechanism"] == "PLAIN"
    assert brokers.settings["sasl.password"] == "s@cret"
    assert "cret" not in repr(brokers)


@pytest.mark.parametrize("url", ["kafka://", "kafka://u:p4ss@", "kafka://a:1?no.such=thing"])
def test_a_url_that_names_no_brokers_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ParameterError, match="TRADING_BUS_URL") as refused:
        open_bus(url)
    assert "p4ss" not in str(refused.value)
