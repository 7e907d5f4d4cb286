"""Open the bus that a URL names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from live.bus.port import Bus
from live.bus.reconnection import PATIENCE_SECONDS
from live.bus.redis_streams.bus import RedisBus
from live.bus.redis_streams.connection import RedisConnection
from live.bus.redis_streams.readers import LEASE_SECONDS
from live.bus.refusal import url_refusal
from live.bus.retention import Retention
from live.errors import BusError

_REDIS = ("redis", "rediss", "unix")


def open_bus(
    url: str,
    retention: Retention = Retention(),  # noqa: B008 - frozen
    *,
    lease_seconds: float = LEASE_SECONDS,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Bus:
    """The bus at a URL.

    Args:
        url: `redis://`, `rediss://`, `unix://` or `kafka://`.
        retention: How long events are kept.
        lease_seconds: How long a member of a group may be silent before another takes over what
            it held. Kafka's brokers allow no less than six.
        patience_seconds: How long a call waits for a bus that is away.

    Raises:
        ParameterError: The URL cannot be used; nothing of it is repeated.
        BusError: Kafka is not installed, or no broker of it answers.
    """
    scheme = _scheme(url)
    if scheme in _REDIS:
        return RedisBus(
            url, retention, patience_seconds=patience_seconds, lease_seconds=lease_seconds
        )
    if scheme == "kafka":
        return _kafka(url, retention, lease_seconds, patience_seconds)
    raise url_refusal()


def check_bus_url(url: str) -> None:
    """Refuse a URL that names no bus, without asking anything of it.

    Args:
        url: As `open_bus` takes it.

    Raises:
        ParameterError: It cannot be used; nothing of it is repeated.
        BusError: Kafka is not installed.
    """
    scheme = _scheme(url)
    if scheme in _REDIS:
        RedisConnection(url).close()
    elif scheme == "kafka":
        with _needs_kafka():
            from live.bus.kafka.connection import Brokers  # noqa: PLC0415 - of the extra `kafka`
        Brokers.of(url).admin()
    else:
        raise url_refusal()


def _scheme(url: str) -> str:
    """The URL's scheme.

    Raises:
        ParameterError: It is no URL.
    """
    try:
        return urlsplit(url).scheme
    except ValueError:
        raise url_refusal() from None


def _kafka(url: str, retention: Retention, lease_seconds: float, patience_seconds: float) -> Bus:
    with _needs_kafka():
        from live.bus.kafka.bus import KafkaBus  # noqa: PLC0415 - of the extra `kafka`
        from live.bus.kafka.readers import SHORTEST_SESSION_SECONDS  # noqa: PLC0415 - as above
    return KafkaBus(
        url,
        retention,
        patience_seconds=patience_seconds,
        session_seconds=max(lease_seconds, SHORTEST_SESSION_SECONDS),
    )


@contextlib.contextmanager
def _needs_kafka() -> Iterator[None]:
    """Say how to get Kafka's client when an import of the block finds that it is missing.

    Raises:
        BusError: It is.
    """
    try:
        yield
    except ModuleNotFoundError:
        raise BusError(
            "A bus on Kafka needs confluent-kafka; install it with `uv sync --extra live --extra "
            "kafka`."
        ) from None
