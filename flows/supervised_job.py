"""`python -m flows.supervised_job`: `prefect flow-run execute`, once there is a server.

The command of a Kubernetes Job whose run is supervised: a parent's.
"""

from __future__ import annotations

import runpy
import sys

from prefect.client.orchestration import get_client

from fanout.prefect_engine.job_process import run_id
from flows.first_contact import read_run

COMMAND = ("prefect", "flow-run", "execute")


def main() -> None:
    """Wait for the server, then supervise the flow run that the environment names."""
    with get_client(sync_client=True) as client:
        read_run(client, run_id())
    sys.argv = [*COMMAND]
    runpy.run_module(COMMAND[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
