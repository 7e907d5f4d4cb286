"""Waiting for a Prefect server that may still be starting, and saying plainly what is wrong."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import anyio
import httpx
import typer
from prefect.client.orchestration import PrefectClient
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from servers.connection import without_credentials
from servers.errors import CommandError

PAUSE_SECONDS = 2.0
REFUSALS = {401, 403}


async def wait_for_server(client: PrefectClient, seconds: float) -> None:
    """Return once the server answers and lets us in; log each try that fails.

    Args:
        client: A client of the server.
        seconds: How long it may take.

    Raises:
        CommandError: It refuses our key or password, or does not answer in time.
    """
    deadline = time.monotonic() + seconds
    url = without_credentials(str(client.api_url))
    while problem := await _problem(client, url):
        left = deadline - time.monotonic()
        if left <= 0:
            raise CommandError(
                f"PREFECT_API_URL={url} did not answer as a Prefect API within {seconds:g} s "
                f"({problem}); check the address and the server's log, or pass a longer --wait."
            )
        typer.echo(f"Waiting for {url}, {left:.0f} s left: {problem}", err=True)
        await anyio.sleep(min(PAUSE_SECONDS, left))


async def _problem(client: PrefectClient, url: str) -> str | None:
    """Why the server is of no use yet, None when it is."""
    try:
        # Its own waiting would be neither bounded by ours nor logged.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            await client.read_work_pools(limit=1)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status in REFUSALS:
            raise CommandError(refusal(url, status)) from None
        return f"it answers {status} {error.response.reason_phrase}"
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    except ValueError:
        return "its answer is no JSON"
    return None


def refusal(url: str, status: int) -> str:
    """The sentence about a server that does not know our key or password."""
    return (
        f"PREFECT_API_URL={url} refuses us ({status}); set PREFECT_API_AUTH_STRING to the "
        "server's user:password, or PREFECT_API_KEY to a key of this Prefect Cloud workspace."
    )


@contextlib.contextmanager
def server_errors() -> Iterator[None]:
    """Turn a server that refuses or fails a request into one sentence."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        answer = f"{error.response.status_code} {error.response.reason_phrase}"
        path = error.request.url.path
        raise CommandError(
            f"The Prefect server answered {answer} to {path}; check its log, and the key or "
            "password in PREFECT_API_KEY or PREFECT_API_AUTH_STRING if it wants one."
        ) from error
    except httpx.TransportError as error:
        raise CommandError(
            f"The Prefect server stopped answering ({type(error).__name__}); check that it still "
            "runs, then run the same command again: it goes on with what is missing."
        ) from error
