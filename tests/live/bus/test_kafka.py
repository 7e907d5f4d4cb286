from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

from live.bus.kafka.bus import KafkaBus
from live.bus.kafka.connection import PARTITIONS, Brokers
from live.bus.opening import check_bus_url, open_bus
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


def test_that_brokers_are_away_is_said_while_they_are_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(BusUnreachableError):
        KafkaBus("kafka://127.0.0.1:1", patience_seconds=2.5)
    said = [r.message for r in caplog.records if r.name == "live.bus.reconnection"]
    assert said == ["The bus at 127.0.0.1:1 is away; connecting again"]


def test_brokers_that_do_not_hand_over_what_they_have_are_not_taken_to_have_kept_it(
    kafka_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with KafkaBus(kafka_url) as bus:
        bus.publish(Stream.TICKS, "A", Tick("A", 1, 1.0, 1.0, 1))
        offset = bus.read_latest(Stream.TICKS).offset
        bus.tail(Stream.TICKS, offset).close()
        monkeypatch.setattr("live.bus.kafka.places._SILENCE_SECONDS", 0.0)
        with pytest.raises(BusUnreachableError, match="does not hand over the last"):
            bus.tail(Stream.TICKS, offset)


def test_a_login_is_asked_over_tls_and_shown_nowhere() -> None:
    brokers = Brokers.of("kafka://some:s%40cret@a:9093,b:9093?sasl.mechanism=PLAIN")
    assert brokers.place == "a:9093,b:9093"
    assert brokers.settings["security.protocol"] == "SASL_SSL"
    assert brokers.settings["sasl.mechanism"] == "PLAIN"
    assert brokers.settings["sasl.password"] == "s@cret"
    assert "cret" not in repr(brokers)


@pytest.mark.parametrize(
    "url",
    [
        "kafka://", "kafka://u:p4ss@", "kafka://a:1?no.such=thing", "kafka://u:p4ss@a:port",
        "kafka://a:0", "kafka://a:65536", "kafka://a:9092,", "kafka://:9092", "mqtt://u:p4ss@a:1",
        "kafka://u:p4ss@[::1", "redis://:p4ss@[::1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("use", [open_bus, check_bus_url])
def test_a_url_that_names_no_brokers_is_refused_without_repeating_it(
    url: str, use: Callable[[str], object]
) -> None:
    with pytest.raises(ParameterError, match="TRADING_BUS_URL") as refused:
        use(url)
    assert "p4ss" not in str(refused.value)


@pytest.mark.parametrize("url", ["kafka://a", "kafka://a:9092,[::1]:9093", "unix:///tmp/no/where"])
def test_a_url_that_may_be_a_bus_is_not_asked_anything(url: str) -> None:
    check_bus_url(url)
