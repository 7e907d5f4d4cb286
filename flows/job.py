"""`python -m flows.job ENTRYPOINT`: Prefect's flow engine, for one short run in its own process.

It is `python -m prefect.flow_engine ENTRYPOINT`, with the garbage collector off: a tenth of the
CPU time of importing Prefect goes into looking for garbage where there is none, and what the
process leaves behind at its end the kernel takes back.

In a Kubernetes Job it stands where `prefect flow-run execute` would, and does what that does for
a run that is cancelled, because nobody else can: cancelled before its process came, it is not
begun; cancelled while it executes, it ends as Cancelled.
"""

from __future__ import annotations

import gc
import os
import runpy
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.states import Cancelled

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

RUN_ID = "PREFECT__FLOW_RUN_ID"

SUPERVISED = "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"
"""`false` where a process worker watches over this process and ends its run itself."""


def main() -> None:
    """Execute the flow run that the environment names, unless it was cancelled."""
    if os.environ.get(SUPERVISED) == "false":
        _engine()
        return
    run_id = UUID(os.environ[RUN_ID])
    with get_client(sync_client=True) as client:
        if _is_cancelled(client, run_id):
            return
        try:
            _engine()
        finally:
            # Of a server that does not answer, the engine has told what there is to tell.
            with suppress(httpx.HTTPError):
                _is_cancelled(client, run_id)


def _engine() -> None:
    runpy.run_module("prefect.flow_engine", run_name="__main__", alter_sys=True)


def _is_cancelled(client: SyncPrefectClient, run_id: UUID) -> bool:
    """Whether the run was cancelled; if its end is still to be said, say it."""
    state = client.read_flow_run(run_id).state
    if state is not None and state.is_cancelling():
        client.set_flow_run_state(run_id, Cancelled(message=state.message), force=True)
        return True
    return state is not None and state.is_cancelled()


if __name__ == "__main__":
    gc.disable()
    main()
