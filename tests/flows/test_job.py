"""A partition's process without a supervisor, as in a Kubernetes Job: it minds cancellation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED
from prefect.states import Cancelled, Cancelling, Pending

from fanout.prefect_engine.job_process import RUN_ID
from flows.job import VERSION_CHECK
from tests.flows.conftest import FILES, STRATEGY, Pipeline
from tests.reliability.faults import Faults
from tests.waiting import WAIT_SECONDS, wait_until

PARTITION = "analyze-time-partition/analyze-time-partition"
ENTRYPOINT = "flows.analyze_time_partition_flow.analyze_time_partition"


async def new_run(pipeline: Pipeline) -> FlowRun:
    """A run of the first bar's partition that a worker has taken."""
    deployment = await pipeline.client.read_deployment_by_name(PARTITION)
    return await pipeline.client.create_flow_run_from_deployment(
        deployment.id,
        parameters={
            "contract": "AAPL",
            "timestamp": "2024-01-02T09:30:00-05:00",
            "strategy": STRATEGY,
            **pipeline.folders,
        },
        state=Pending(),
    )


def start_job(run: FlowRun, **environment: str) -> subprocess.Popen[str]:
    """Its process, as the worker's Job has it."""
    return subprocess.Popen(
        [sys.executable, "-m", "flows.job", ENTRYPOINT],
        env={**os.environ, RUN_ID: str(run.id), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(job: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = job.communicate(timeout=WAIT_SECONDS)
    return job.returncode, said


async def test_a_run_that_was_cancelled_before_its_process_came_is_not_begun(
    pipeline: Pipeline,
) -> None:
    """Fails without the look at the state: the server takes a start of a cancelled run for a
    retry, and refuses for good that of one that is being cancelled."""
    cancelling, cancelled = await new_run(pipeline), await new_run(pipeline)
    await pipeline.client.set_flow_run_state(cancelling.id, Cancelling(message="by hand"))
    await pipeline.client.set_flow_run_state(cancelled.id, Cancelled(), force=True)
    for job in [start_job(run) for run in (cancelling, cancelled)]:
        assert ended(job)[0] == 0
    for run in (cancelling, cancelled):
        found = await pipeline.client.read_flow_run(run.id)
        assert (found.state_type, found.run_count) == (StateType.CANCELLED, 0)
    assert not pipeline.output.exists()


async def test_a_run_that_is_cancelled_while_it_executes_ends_so(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Fails without the look at the end: the run stays Cancelling."""
    (tmp_path / "faults").mkdir()
    faults = Faults(tmp_path / "faults")
    held = faults.hold("during", f"AAPL/{FILES[0]}")
    run = await new_run(pipeline)
    job = start_job(run, **faults.environment())
    wait_until(lambda: faults.holds(held) or job.poll() is not None, "the write")
    await pipeline.client.set_flow_run_state(run.id, Cancelling(message="by hand"))
    faults.let_go(held)
    code, said = ended(job)
    assert code == 0, said
    state = (await pipeline.client.read_flow_run(run.id)).state
    assert state is not None
    assert (state.type, state.message) == (StateType.CANCELLED, "by hand")


def test_the_check_of_versions_is_a_setting_of_prefects() -> None:
    assert PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED.name == VERSION_CHECK


async def test_a_run_that_is_let_be_completes(pipeline: Pipeline) -> None:
    run = await new_run(pipeline)
    code, said = ended(start_job(run))
    assert code == 0, said
    assert (await pipeline.client.read_flow_run(run.id)).state_type is StateType.COMPLETED
    assert (pipeline.output / "AAPL" / FILES[0]).exists()
