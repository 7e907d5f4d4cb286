"""Brokers by URL, and the topics of the bus on them."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from live.bus.reconnection import until_connected
from live.bus.refusal import url_refusal
from live.bus.retention import Retention
from live.errors import BusError, BusUnreachableError
from trading.events import Stream

DEAD_LETTERS = "trading.dead-letters"
PARTITIONS = 8
"""Of each stream: the most members of a group that work at once. It cannot be raised later without
giving symbols to other partitions, so it is more than a small cluster needs."""

_ANSWER_SECONDS = 30.0

_FIRST_ANSWER_SECONDS = 2.0
"""How long brokers may be silent before it is said that they are away; they are asked again."""

_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:(?P<port>\d{1,5}))?", re.ASCII)
_HIGHEST_PORT = 65_535

logger = logging.getLogger(__name__)
"""What the library says of lost connections, which it would write to standard error otherwise."""

UNREACHABLE = frozenset({"_ALL_BROKERS_DOWN", "_TRANSPORT", "_TIMED_OUT", "_MSG_TIMED_OUT"})
"""The library's names of what means that no broker answers."""


@dataclass(frozen=True, slots=True)
class Brokers:
    """How to reach the brokers.

    Attributes:
        place: Where they are, without a secret.
        settings: What every client of them is told, by librdkafka's names.
    """

    place: str
    settings: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Brokers:
        """The brokers that a URL names.

        Args:
            url: `kafka://host:port,host:port`, with `user:password@` before and librdkafka's
                settings behind a question mark, e.g. `?security.protocol=SSL`. With a user they
                are asked over TLS by SCRAM, unless the settings say otherwise.

        Raises:
            ParameterError: It names none; nothing of it is repeated.
        """
        try:
            parts = urlsplit(url)
            settings: dict[str, Any] = dict(
                parse_qsl(parts.query, strict_parsing=bool(parts.query))
            )
        except ValueError:
            raise url_refusal() from None
        login, _, place = parts.netloc.rpartition("@")
        if not all(map(_is_broker, place.split(","))):
            raise url_refusal()
        user, _, password = login.partition(":")
        secured = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": unquote(user),
            "sasl.password": unquote(password),
        }
        ours = {"bootstrap.servers": place, "logger": logger}
        return cls(place, (secured if login else {}) | settings | ours)

    def make_topics(self, retention: Retention, patience_seconds: float) -> None:
        """Make the topics that are missing.

        Args:
            retention: How long each keeps its events.
            patience_seconds: How long to wait for brokers that are away.

        Raises:
            BusUnreachableError: No broker answers.
            BusError: They cannot be made.
        """
        admin = self.admin()
        wanted = [
            _topic(topic_name(stream), PARTITIONS, retention.milliseconds(stream))
            for stream in Stream
        ]
        wanted.append(_topic(DEAD_LETTERS, 1, retention.milliseconds(Stream.BARS)))
        try:
            there = until_connected(
                lambda: self._topics(admin, min(patience_seconds, _FIRST_ANSWER_SECONDS)),
                (BusUnreachableError,),
                self.place,
                patience_seconds,
            )
            missing = [topic for topic in wanted if topic.topic not in there]
            for made in admin.create_topics(missing).values() if missing else ():
                _wait_until_made(made)
        except KafkaException as error:
            raise self.failure(error) from error

    def _topics(self, admin: AdminClient, wait_seconds: float) -> Collection[str]:
        """The names of the topics that there are.

        Raises:
            BusError: No broker says, or none in this time.
        """
        try:
            return admin.list_topics(timeout=wait_seconds).topics
        except KafkaException as error:
            raise self.failure(error) from error

    def admin(self) -> AdminClient:
        """A client that asks about topics.

        Raises:
            ParameterError: A setting of the URL cannot be used.
        """
        try:
            return AdminClient(dict(self.settings))
        except KafkaException:
            raise url_refusal() from None

    def failure(self, error: KafkaException) -> BusError:
        """A failure of the library in this room's words."""
        reason: KafkaError = error.args[0]
        if reason.name() in UNREACHABLE:
            return BusUnreachableError(
                f"The bus at {self.place} cannot be reached ({reason.name()}); start it again, or "
                "correct TRADING_BUS_URL."
            )
        return BusError(f"The bus at {self.place} failed: {reason.str()}")


def _is_broker(text: str) -> bool:
    """Whether it is of the form `host:port`, or `host` for Kafka's usual port."""
    found = _BROKER.fullmatch(text)
    return found is not None and 0 < int(found["port"] or 1) <= _HIGHEST_PORT


def lone_consumer(brokers: Brokers, more: Mapping[str, Any] | None = None) -> Consumer:
    """A client that reads what it is told to, without a group.

    Args:
        brokers: Which brokers.
        more: What else it is told, by librdkafka's names.
    """
    return Consumer(
        brokers.settings
        | {
            "group.id": f"trading.alone.{uuid4().hex}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            **(more or {}),
        }
    )


def topic_name(stream: Stream) -> str:
    """The topic that a stream is."""
    return f"trading.{stream}"


def _topic(name: str, partitions: int, milliseconds: int) -> NewTopic:
    return NewTopic(
        name,
        num_partitions=partitions,
        replication_factor=-1,
        config={"retention.ms": str(milliseconds), "cleanup.policy": "delete"},
    )


def _wait_until_made(made: Any) -> None:  # noqa: ANN401 - a future of the library
    try:
        made.result(_ANSWER_SECONDS)
    except KafkaException as error:
        # Another process made it in the same moment.
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
