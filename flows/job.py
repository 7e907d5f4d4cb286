"""`python -m flows.job ENTRYPOINT`: Prefect's flow engine, for one short run in its own process.

It is `python -m prefect.flow_engine ENTRYPOINT` for less CPU time. The garbage collector is off:
there is no garbage in what is imported, and what the process leaves behind at its end the kernel
takes back. Where the API is reached without TLS, each of Prefect's clients loads one authority
that it will not ask instead of a hundred; and those that Prefect makes for webhooks as soon as it
is imported look authorities up when they need one.

In a Kubernetes Job it stands where `prefect flow-run execute` would, and does what that does for
a run that is cancelled, because nobody else can: cancelled before its process came, it is not
begun; cancelled while it executes, it ends as Cancelled. A server that restarts is waited for.
"""

from __future__ import annotations

import gc
import os
import runpy
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

SUPERVISED = "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"
"""`false` where a process worker watches over this process and ends its run itself."""

VERSION_CHECK = "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED"
"""Whether clients ask for the server's version. Whoever started this process has, with the same
Prefect."""


def main() -> None:
    """Execute the flow run that the environment names, unless it was cancelled."""
    gc.disable()
    os.environ |= authorities(os.environ)
    os.environ.setdefault(VERSION_CHECK, "false")
    import_prefect()
    if os.environ.get(SUPERVISED) == "false":
        _engine()
    else:
        _engine_alone()


def authorities(environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to the environment so that no authorities are loaded in vain."""
    name = "PREFECT_API_SSL_CERT_FILE"
    if name in environment or not environment.get("PREFECT_API_URL", "").startswith("http://"):
        return {}
    return {name: str(Path(__file__).with_name("one_authority.pem"))}


def lookup(environment: Mapping[str, str], directory: str | None) -> dict[str, str]:
    """What to add to the environment so that clients look authorities up in a directory.

    Args:
        environment: The environment; authorities that it names are left to it.
        directory: The system's authorities. Of use only where they are files named by their hash,
            as on Debian.
    """
    if directory is None or not environment.keys().isdisjoint(("SSL_CERT_FILE", "SSL_CERT_DIR")):
        return {}
    # One that cannot be read is of no use either.
    with suppress(OSError):
        if any(file.suffix == ".0" for file in Path(directory).iterdir()):
            return {"SSL_CERT_DIR": directory}
    return {}


def import_prefect() -> None:
    """Import Prefect, with authorities for its webhooks that are looked up, not loaded."""
    added = lookup(os.environ, ssl.get_default_verify_paths().capath)
    os.environ |= added
    import prefect.context  # noqa: F401, PLC0415 - with it come the modules that make clients

    for name in added:
        del os.environ[name]


def _engine() -> None:
    runpy.run_module("prefect.flow_engine", run_name="__main__", alter_sys=True)


def _engine_alone() -> None:
    # Prefect reads the environment when it is imported.
    import httpx  # noqa: PLC0415
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    from flows.first_contact import RUN_ID, read_run  # noqa: PLC0415

    run_id = UUID(os.environ[RUN_ID])
    with get_client(sync_client=True) as client:
        if _end_cancelled(client, read_run(client, run_id)):
            return
        try:
            _engine()
        finally:
            # Of a server that does not answer, the engine has told what there is to tell.
            with suppress(httpx.HTTPError):
                _end_cancelled(client, client.read_flow_run(run_id))


def _end_cancelled(client: SyncPrefectClient, run: FlowRun) -> bool:
    """End the run as Cancelled if that is what is to come of it; whether it was cancelled."""
    from prefect.states import Cancelled  # noqa: PLC0415

    state = run.state
    if state is not None and state.is_cancelling():
        client.set_flow_run_state(run.id, Cancelled(message=state.message), force=True)
        return True
    return state is not None and state.is_cancelled()


if __name__ == "__main__":
    main()
