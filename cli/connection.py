"""Which Prefect server a command uses: the one that `PREFECT_API_URL` names, or our own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from cli.errors import CommandError
from cli.local_server import LocalServer, is_healthy, local_server

REACH_SECONDS = 5.0
"""How long a server that the user named may take to answer before it counts as unreachable."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A server that answers, to which this process's environment points.

    Attributes:
        api_url: Its API.
        local: The server that this command started, None for one that was there before.
    """

    api_url: str
    local: LocalServer | None

    @property
    def ui_url(self) -> str:
        """Where a browser finds the UI of a self-hosted server."""
        return self.api_url.removesuffix("/api")


@contextlib.contextmanager
def prefect_connection(
    folder: Path, port: int, meanwhile: Callable[[], object]
) -> Iterator[Connection]:
    """A Prefect server to work with; Prefect must not have been imported before.

    Args:
        folder: Where the data of our own server are.
        port: Where to start our own server when the environment names none.
        meanwhile: What to do while the server starts; importing Prefect is most of it.

    Raises:
        CommandError: The named server does not answer, or ours cannot start.
    """
    named = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    if named:
        connection = Connection(_answering(named), local=None)
        meanwhile()
        yield connection
        return
    with local_server(folder, port) as server:
        os.environ.update(server.client_settings())
        meanwhile()
        server.wait_until_healthy()
        yield Connection(server.api_url, server)


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
