"""A Redis server, or one that speaks like it: whether it answers and keeps what it is told."""

from __future__ import annotations


class BusUnreachableError(Exception):
    """The server does not answer, or refuses."""


def ping(url: str) -> str:
    """What server answers at a `redis://`, `rediss://` or `unix://` URL, and whether it persists.

    Kafka is asked for its brokers.

    Raises:
        BusUnreachableError: None answers.
    """
    return _brokers(url) if url.startswith("kafka://") else _redis(url)


def _redis(url: str) -> str:
    import redis  # noqa: PLC0415 - an extra brings it

    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            server = client.info("server")
            keeps = client.info("persistence").get("aof_enabled") == 1
    except (redis.RedisError, OSError, ValueError) as error:
        raise BusUnreachableError(_plain(error, url)) from None
    name = server.get("server_name", "redis")
    version = server.get("valkey_version") or server.get("redis_version")
    return f"{name} {version}, {'append-only file on' if keeps else 'keeps nothing on disk'}"


def _brokers(url: str) -> str:
    from confluent_kafka import KafkaException  # noqa: PLC0415 - an extra brings it
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - as above

    hosts = url.removeprefix("kafka://").partition("/")[0]
    try:
        found = AdminClient({"bootstrap.servers": hosts}).list_topics(timeout=5)
    except KafkaException as error:
        raise BusUnreachableError(str(error.args[0].str())) from None
    return f"{len(found.brokers)} brokers"


def _plain(error: Exception, url: str) -> str:
    """What went wrong without the password that the URL may hold."""
    said = " ".join(str(error).split()) or type(error).__name__
    password = url.rpartition("@")[0].rpartition(":")[2]
    return said.replace(password, "***") if password else said
