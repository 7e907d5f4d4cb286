"""The process of one flow run: Prefect's engine as a program, and what a worker tells it.

`python -m prefect.flow_engine ENTRYPOINT` executes the run that the environment names: what a
worker's command comes to in the end, without the process that watches over it. Its `_main` is
called here, since this process has loaded that module already.
"""

from __future__ import annotations

import os
from typing import NoReturn
from uuid import UUID

from prefect.flow_engine import _main

RUN_ID = "PREFECT__FLOW_RUN_ID"
"""The variable with the flow run that a process shall execute."""

WATCHED = "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"
"""`false` where a process worker watches over the process and ends its run itself."""


def is_job() -> bool:
    """Whether this process was started to execute one flow run."""
    return RUN_ID in os.environ


def run_id() -> UUID:
    """The flow run that a worker started this process for."""
    return UUID(os.environ[RUN_ID])


def is_watched() -> bool:
    """Whether a worker watches over this process, and ends its run when that is cancelled."""
    return os.environ.get(WATCHED) == "false"


def run_engine() -> NoReturn:
    """Execute the run with the flow whose entrypoint is this program's only argument.

    Raises:
        SystemExit: The engine has ended; its code is not 0 when the run broke off.
    """
    raise SystemExit(_main())
