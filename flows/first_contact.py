"""The first request of a flow run's process: it waits for a server that restarts.

Prefect's clients wait for a server that has answered them before, and for no other: without this,
a Job whose pod starts while the server restarts ends with a traceback.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING
from uuid import UUID

import httpx

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

PATIENCE_SECONDS = 300.0
"""How long the server may take: as long as a parent waits for one that is gone."""

PAUSE_SECONDS = 2.0


def read_run(client: SyncPrefectClient, run_id: UUID) -> FlowRun:
    """The flow run as the server has it, as soon as there is a server.

    Args:
        client: A client of the server.
        run_id: The run that this process shall execute.

    Raises:
        SystemExit: None came in `PATIENCE_SECONDS`; the message says so.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return client.read_flow_run(run_id)
        except httpx.TransportError as error:
            problem = str(error) or type(error).__name__
        url = client.api_url.copy_with(userinfo=b"")
        left = deadline - time.monotonic()
        if left <= 0:
            raise SystemExit(
                f"PREFECT_API_URL={url} did not answer within {PATIENCE_SECONDS:g} s ({problem}); "
                "check that the server runs, then run the flow run again."
            )
        print(f"Waiting for {url}, {left:.0f} s left: {problem}", file=sys.stderr, flush=True)  # noqa: T201 - the pod's log
        time.sleep(min(PAUSE_SECONDS, left))
