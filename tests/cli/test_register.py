"""`trading register` against a real server: what it makes, leaves alone, and refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from uuid import uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.schedules import SCHEDULE_TYPES, IntervalSchedule
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from cli.commands.register import RegisterOptions, run_register
from cli.failed_partitions import FailedPartitions
from cli.pipeline.orchestration import register
from flows.deploy.registration import SERVICE_LIMITS, Installation, differences, install
from flows.deploy.wiring import JobVariables, deployment_definitions
from servers.errors import CommandError
from servers.prefect import available_port
from tests.own_server import server_with_password
from trading.errors import ParameterError

TEMPLATE = Path(__file__).parents[2] / "charts/trading-fanout/files/base-job-template.json"
ORCHESTRATOR = "trading-orchestrator/orchestrator"
Run = Callable[..., CompletedProcess[str]]


def wanted(pool: str, image: str, partition_limit: int | None = None) -> Installation:
    return Installation(
        work_pool=pool,
        pool_type="kubernetes",
        base_job_template=json.loads(TEMPLATE.read_text()),
        job_variables=JobVariables({"image": image}),
        partition_limit=partition_limit,
    )


@pytest.fixture(scope="module")
def own_server(
    migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server that asks for a password: registrations here disturb no other test's."""
    folder = migrated(tmp_path_factory.mktemp("server"))
    with server_with_password(folder, "admin:secret") as api_url:
        yield api_url


@pytest.mark.slow
async def test_a_second_run_changes_nothing_and_a_new_image_only_that(own_server: str) -> None:
    pool = f"pool-{uuid4().hex[:6]}"
    async with PrefectClient(own_server, auth_string="admin:secret") as client:
        made = await install(client, wanted(pool, "app:1", partition_limit=7))
        # The pool, the limits of its queue and of the services' queues, and the deployments.
        assert len(made) == 2 + len(SERVICE_LIMITS) + len(deployment_definitions())
        found = await client.read_work_pool(pool)
        assert (found.type, found.base_job_template) == (
            "kubernetes", json.loads(TEMPLATE.read_text()),
        )  # fmt: skip
        parents = await client.read_work_queue_by_name("parents", pool)
        partitions = await client.read_work_queue_by_name("partitions", pool)
        assert parents.priority < partitions.priority
        assert (parents.concurrency_limit, partitions.concurrency_limit) == (None, 7)

        deployment = await client.read_deployment_by_name(ORCHESTRATOR)
        hourly: list[tuple[SCHEDULE_TYPES, bool]] = [
            (IntervalSchedule(interval=timedelta(hours=1)), False)
        ]
        await client.create_deployment_schedules(deployment.id, hourly)
        assert await install(client, wanted(pool, "app:1", partition_limit=7)) == []

        before = await client.read_deployment_by_name(ORCHESTRATOR)
        missing = await differences(client, wanted(pool, "app:2"))
        assert all(change.endswith(": another image") for change in missing)
        assert f"deployment {ORCHESTRATOR}: another image" in missing
        assert len(missing) == len(deployment_definitions())
        assert await install(client, wanted(pool, "app:2")) == missing
        after = await client.read_deployment_by_name(ORCHESTRATOR)
        assert after.job_variables == {**before.job_variables, "image": "app:2"}
        same = {"job_variables", "updated", "updated_by"}
        assert after.model_dump(exclude=same) == before.model_dump(exclude=same)
        assert len(after.schedules) == 1
        # Another pool takes its queues along.
        other = f"{pool}-other"
        await install(client, wanted(other, "app:2"))
        moved = await client.read_deployment_by_name(ORCHESTRATOR)
        assert (moved.work_pool_name, moved.work_queue_name) == (other, "parents")


@pytest.mark.slow
async def test_commands_leave_the_registration_of_a_cluster_as_it_is(own_server: str) -> None:
    """Registered again without its image, `trading register --check` would find it different."""
    pool = f"pool-{uuid4().hex[:6]}"
    here = {PREFECT_API_URL: own_server, PREFECT_API_AUTH_STRING: "admin:secret"}
    async with PrefectClient(own_server, auth_string="admin:secret") as client:
        await install(client, wanted(pool, "app:1"))
        with temporary_settings(here):
            await asyncio.to_thread(register, pool, None)
            assert await differences(client, wanted(pool, "app:1")) == []
            # What another pool has registered is not this one's.
            await install(client, wanted(f"{pool}-other", "app:1"))
            with pytest.raises(ParameterError, match="--image"):
                await asyncio.to_thread(register, pool, None)


@pytest.mark.slow
async def test_a_pool_of_another_type_or_jobs_without_an_image_change_nothing(
    own_server: str,
) -> None:
    pool = f"pool-{uuid4().hex[:6]}"
    async with PrefectClient(own_server, auth_string="admin:secret") as client:
        without_image = Installation(
            work_pool=pool,
            pool_type="kubernetes",
            base_job_template=json.loads(TEMPLATE.read_text()),
        )
        with pytest.raises(ParameterError, match=r"--image"):
            await install(client, without_image)
        with pytest.raises(ObjectNotFound):
            await client.read_work_pool(pool)
        await install(client, wanted(pool, "app:1"))
        with pytest.raises(ParameterError, match="kubernetes; pass another --pool"):
            await install(client, Installation(work_pool=pool, pool_type="process"))


@pytest.mark.slow
def test_the_command_registers_checks_and_says_what_is_wrong(
    own_server: str, run: Run, tmp_path: Path
) -> None:
    pool = f"pool-{uuid4().hex[:6]}"
    arguments = ["register", "--pool", pool, "--work-pool-type", "kubernetes",
                 "--base-job-template", str(TEMPLATE)]  # fmt: skip
    server = {"PREFECT_API_URL": own_server, "PREFECT_API_AUTH_STRING": "admin:secret"}
    done = run(*arguments, "--image", "app:1", **server)
    assert (done.returncode, done.stderr) == (0, "")
    assert run(*arguments, "--image", "app:1", "--check", **server).returncode == 0
    different = run(*arguments, "--image", "app:2", "--check", **server)
    assert different.returncode == 1
    assert "another image" in different.stderr

    wrong = run(*arguments, "--image", "app:1", **{**server, "PREFECT_API_AUTH_STRING": "a:wrong"})
    assert wrong.returncode == 1
    assert "PREFECT_API_AUTH_STRING" in wrong.stderr
    assert "wrong" not in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1

    # No worker takes the partition: it is cancelled, and nothing is left of its sample.
    trial = run(
        *arguments, "--image", "app:1", "--check", "--run-partition", "--wait", "1", **server
    )
    assert trial.returncode == 1
    assert "check that a worker of the pool runs" in trial.stderr
    assert list((tmp_path / "output").iterdir()) == []


def test_a_server_that_is_not_there_is_named_when_the_wait_is_over(run: Run) -> None:
    nowhere = f"http://127.0.0.1:{available_port(0)}/api"
    done = run("register", "--wait", "1", PREFECT_API_URL=nowhere)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "did not answer as a Prefect API within 1 s" in last
    assert nowhere in last


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), ("{", "is not JSON"), ("[]", "has no objects variables")],
)
def test_a_template_that_is_none_is_refused_before_anything_is_asked(
    content: str | None, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "template.json"
    if content is not None:
        file.write_text(content)
    options = RegisterOptions(
        pool="p", pool_type=None, base_job_template=file, image=None, job_variables=[],
        partition_limit=None, schedules=None, wait=1, check=False, run_partition=False,
    )  # fmt: skip
    with pytest.raises(CommandError, match=said):
        run_register(options)


@pytest.mark.slow
def test_who_looks_for_failed_partitions_signs_in(
    own_server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = datetime.now(UTC)
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    assert FailedPartitions(own_server)(now) is None
    assert "HTTP 401; check PREFECT_API_AUTH_STRING" in caplog.text
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:secret")
    survey = FailedPartitions(own_server)(now)
    assert survey is not None
    assert survey.findings == ()
    assert "admin:secret" not in caplog.text
