"""Open the bus that a URL names."""

from __future__ import annotations

from urllib.parse import urlsplit

from live.bus.port import Bus
from live.bus.redis_streams.bus import RedisBus
from live.bus.redis_streams.connection import url_refusal
from live.bus.retention import Retention

_REDIS = ("redis", "rediss", "unix")


def open_bus(url: str, retention: Retention = Retention()) -> Bus:  # noqa: B008 - frozen
    """The bus at a URL.

    Args:
        url: `redis://`, `rediss://`, `unix://` or `kafka://`.
        retention: How long events are kept.

    Raises:
        ParameterError: The URL cannot be used; nothing of it is repeated.
    """
    scheme = urlsplit(url).scheme
    if scheme in _REDIS:
        return RedisBus(url, retention)
    raise url_refusal()
