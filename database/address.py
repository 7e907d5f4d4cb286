"""The address of a database, and what may be said of it in a message."""

from __future__ import annotations

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from trading.errors import ParameterError

URL_VARIABLE = "TRADING_DATABASE_URL"
"""The setting that names the database."""

CONNECT_SECONDS = 10
"""How long a host may take to answer, unless the URL says `connect_timeout`."""

_SCHEMES = ("postgresql://", "postgres://")


def connection_string(url: str) -> str:
    """What to connect with: the URL's settings and the defaults of those that it leaves out.

    Args:
        url: `postgresql://user:password@host:port/database?setting=value`.

    Raises:
        ParameterError: It is no such URL; nothing of it is repeated.
    """
    defaults = {"connect_timeout": str(CONNECT_SECONDS), "application_name": "trading"}
    return make_conninfo("", **(defaults | _settings(url)))


def place(url: str) -> str:
    """Where the database is, without user, password and query: fit for a message.

    Raises:
        ParameterError: It is not a URL of Postgres.
    """
    settings = _settings(url)
    host = settings.get("host", "localhost")
    port = settings.get("port")
    return f"{host}:{port}" if port else host


def _settings(url: str) -> dict[str, str]:
    try:
        settings = {
            name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None
        }
    except ProgrammingError:
        raise _refusal() from None
    # A password with an unencoded sign spills over into what is not secret.
    spilled = any("@" in settings.get(name, "") for name in ("host", "port", "dbname"))
    ports = settings.get("port", "").replace(",", "")
    if not url.startswith(_SCHEMES) or spilled or not (ports.isdecimal() or not ports):
        raise _refusal()
    return settings


def _refusal() -> ParameterError:
    return ParameterError(
        URL_VARIABLE,
        "***",
        "a URL of Postgres",
        "write it like postgresql://user:password@host:5432/database, with signs such as @ : / ? # "
        "in the password percent-encoded",
    )
