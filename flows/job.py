"""`python -m flows.job ENTRYPOINT`: Prefect's flow engine, for one short run in its own process.

In a Kubernetes Job it stands where `prefect flow-run execute` would, and does what that does for
a run that is cancelled, because nobody else can: cancelled before its process came, it is not
begun; cancelled while it executes, it ends as Cancelled. A server that restarts is waited for.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

VERSION_CHECK = "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED"
"""Whether clients ask for the server's version. Whoever started this process has, with the same
Prefect."""


def main() -> None:
    """Execute the flow run that the environment names, unless it was cancelled."""
    os.environ.setdefault(VERSION_CHECK, "false")
    # Prefect reads the environment when it is imported.
    from fanout.prefect_engine.job_process import is_watched, run_engine  # noqa: PLC0415

    if is_watched():
        run_engine()
    else:
        _run_unwatched()


def _run_unwatched() -> None:
    import httpx  # noqa: PLC0415 - with Prefect
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - see `main`

    from fanout.prefect_engine.job_process import run_engine, run_id  # noqa: PLC0415 - see `main`
    from flows.first_contact import read_run  # noqa: PLC0415 - with httpx

    with get_client(sync_client=True) as client:
        if _end_cancelled(client, read_run(client, run_id())):
            return
        try:
            run_engine()
        finally:
            # Of a server that does not answer, the engine has told what there is to tell.
            with suppress(httpx.HTTPError):
                _end_cancelled(client, client.read_flow_run(run_id()))


def _end_cancelled(client: SyncPrefectClient, run: FlowRun) -> bool:
    """End the run as Cancelled if that is what is to come of it; whether it was cancelled."""
    from prefect.states import Cancelled  # noqa: PLC0415 - see `main`

    state = run.state
    if state is not None and state.is_cancelling():
        client.set_flow_run_state(run.id, Cancelled(message=state.message), force=True)
        return True
    return state is not None and state.is_cancelled()


if __name__ == "__main__":
    main()
