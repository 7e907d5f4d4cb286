"""What is said of a bus's URL that cannot be used."""

from __future__ import annotations

from trading.errors import ParameterError


def url_refusal() -> ParameterError:
    """The error for it: it repeats nothing of the URL, which may hold a secret."""
    return ParameterError(
        "TRADING_BUS_URL",
        "...",
        "redis://host:port, rediss://host:port, unix:///path or kafka://host:port",
        "write it like redis://:password@localhost:6379/0, or unset it for a bus of this machine",
    )
