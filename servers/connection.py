"""Which Prefect server a command uses: the one that `PREFECT_API_URL` names, or our own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import typer

from servers.errors import USAGE, CommandError
from servers.leases import Leases
from servers.prefect import LocalServer, is_healthy, local_server

REACH_SECONDS = 15.0
"""How long a server that the user named may take to answer before it counts as unreachable."""

SHOWN = 120
"""Characters of a value that a message repeats."""

CLIENT_SETTINGS = {
    # Prefect's client waits out 429, 502 and 503; a server that starts answers these two as well,
    # and each request of a run may be repeated.
    "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500,504",
}
"""Defaults of this process's clients and those of its worker's jobs, unless the user has others."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A server to which this process's environment points.

    Attributes:
        api_url: Its API.
        local: The server that this command started, None for one that was there before.
        users_home: What `PREFECT_HOME` was before it became that of the server started.
    """

    api_url: str
    local: LocalServer | None
    users_home: str | None = None

    @property
    def ui_url(self) -> str:
        """Where a browser finds the UI: as the environment says of a server that it names, too."""
        named = None if self.local else os.environ.get("PREFECT_UI_URL")
        return named or self.api_url.removesuffix("/api")

    @property
    def partition_limit(self) -> int | None:
        """Partition jobs to run at once: this machine's cores on a server of our own.

        None on a server that others may use: its limits are its operator's.
        """
        return None if self.local is None else os.cpu_count()

    def wait_until_ready(self) -> None:
        """Return once the server answers.

        Raises:
            CommandError: The server that this command started did not come up.
        """
        if self.local is not None:
            self.local.wait_until_healthy()

    def passed_over(self) -> str | None:
        """The API that the user's Prefect would ask, where this command has a server of its own.

        A profile, `.env` or `prefect.toml` names it, which count for nothing here. Loads Prefect.
        """
        if self.local is None:
            return None
        from prefect.settings import Settings  # noqa: PLC0415 - loads Prefect

        with self._users_environment(), contextlib.suppress(ValueError):
            return Settings().api.url
        return None

    @contextlib.contextmanager
    def _users_environment(self) -> Iterator[None]:
        """The variables that point to the server started, for the time of the block as before."""
        ours = {name: os.environ.pop(name) for name in ("PREFECT_API_URL", "PREFECT_HOME")}
        if self.users_home is not None:
            os.environ["PREFECT_HOME"] = self.users_home
        try:
            yield
        finally:
            os.environ.update(ours)


@contextlib.contextmanager
def prefect_connection(folder: Path, port: int) -> Iterator[Connection]:
    """A Prefect server to work with, perhaps still starting; import Prefect only after this.

    Args:
        folder: Where the data of our own server are.
        port: Where to start our own server when the environment names none.

    Raises:
        CommandError: The named server does not answer, or ours cannot be started.
    """
    for name, value in CLIENT_SETTINGS.items():
        os.environ.setdefault(name, value)
    named = named_api_url()
    if named is not None:
        yield Connection(_answering(named), local=None)
        return
    with local_server(folder, port) as server:
        home = os.environ.get("PREFECT_HOME")
        os.environ.update(server.client_settings())
        yield Connection(server.api_url, server, home)


def named_api_url() -> str | None:
    """The API that PREFECT_API_URL names, without a slash at its end; None when it names none.

    Raises:
        CommandError: It is not an address of the kind.
    """
    value = os.environ.get("PREFECT_API_URL", "")
    named = value.rstrip("/")
    if not named or _is_http_url(named):
        return named or None
    # Where the password ends cannot be told in what is no URL.
    given = "" if "@" in value else f"={value[:SHOWN]!a}"
    raise CommandError(
        f"PREFECT_API_URL{given} is not the URL of a Prefect API; set it to one like "
        "http://127.0.0.1:4200/api, or unset the variable.",
        USAGE,
    )


def _is_http_url(url: str) -> bool:
    """Whether a client can at least try to ask it."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - its being no port is raised here
        host = (parts.hostname or "").encode("idna")
    except ValueError:
        return False
    whole = url.isprintable() and " " not in url
    return whole and parts.scheme in {"http", "https"} and bool(host)


def say_whose_server(connection: Connection) -> None:
    """Tell those whose Prefect settings name a server that this command has one of its own."""
    if (other := connection.passed_over()) and other.rstrip("/") != connection.api_url:
        typer.echo(
            f"This runs on a Prefect server of its own, {connection.ui_url}, and not on "
            f"{without_credentials(other)}, which your Prefect settings name; set PREFECT_API_URL "
            "to that address to use it.",
            err=True,
        )


def leases_of(connection: Connection, folder: Path) -> Leases | None:
    """Which runs the commands of this machine execute on a server that outlives them.

    None on a server of our own: what is under way there when it starts is dead.

    Args:
        connection: The server.
        folder: Where the data of our own server would be.
    """
    if connection.local is not None:
        return None
    return Leases(folder / "runs", without_credentials(connection.api_url))


def _answering(api_url: str) -> str:
    if not is_healthy(api_url, REACH_SECONDS):
        raise CommandError(
            f"PREFECT_API_URL={without_credentials(api_url)} does not answer as a Prefect API; "
            "start that server or correct the URL (it ends in /api), or unset the variable to "
            "have a local server started."
        )
    return api_url


def without_credentials(url: str) -> str:
    """The URL without user name, password and query: fit for a message."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(not a URL)"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
