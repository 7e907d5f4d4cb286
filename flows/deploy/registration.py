"""Registering the work pool and the deployments of `prefect.yaml`, in this process.

`prefect deploy --all` does the deployments' part; it needs a shell, a work pool that exists and
half a minute, and it takes away the schedules that somebody gave a deployment on the server.

What a server lacks is found first and then done, so that a second run changes nothing and a look
without changes is possible.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from fanout.prefect_engine.deployments import flow_of, parameters_of
from flows.deploy.schedules import Change, schedule_changes, schedule_of
from flows.deploy.wiring import (
    DeploymentDefinition,
    JobVariables,
    Template,
    deployment_definitions,
)
from trading.errors import ParameterError

PARENTS_QUEUE = "parents"
PARTITIONS_QUEUE = "partitions"
SERVICE_LIMITS = {"ingestion": 1, "execution": 1, "maintenance": 1}
"""Queues whose runs are of one service, and how many of them may run at once on a new server."""
PROCESS = "process"
"""The type of work pools whose jobs are processes of the worker's machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What shall be on a server.

    Attributes:
        work_pool: The pool that the deployments use.
        pool_type: Its type; None takes the one it has, or a process pool.
        base_job_template: Its template; None leaves it as it is.
        job_variables: Variables of the deployments' jobs, beside those of `prefect.yaml`.
        partition_limit: Partition jobs that exist at once; None leaves the queue's limit as it is.
        schedules: Whether the deployments run by themselves at the times of `prefect.yaml`; None
            leaves schedules that are there as they are, and makes missing ones inactive.
    """

    work_pool: str
    pool_type: str | None = None
    base_job_template: Template | None = None
    job_variables: JobVariables = field(default_factory=JobVariables)
    partition_limit: int | None = None
    schedules: bool | None = None


async def register_deployments(
    client: PrefectClient,
    work_pool_name: str,
    *,
    partition_limit: int | None = None,
    schedules: bool | None = None,
) -> None:
    """Create or update the work pool, its queues and the deployments of `prefect.yaml`.

    Args:
        client: A client of the server.
        work_pool_name: The pool that the deployments shall use; created for processes.
        partition_limit: Partition jobs that workers may run at once; None leaves the queue's
            limit as it is.
        schedules: See `Installation`.
    """
    wanted = Installation(
        work_pool=work_pool_name, partition_limit=partition_limit, schedules=schedules
    )
    await install(client, wanted)


async def install(client: PrefectClient, wanted: Installation) -> list[str]:
    """Make the server what is wanted.

    Returns:
        What was changed; nothing when all was there.

    Raises:
        ParameterError: The pool there is of another type, or the jobs would have no image.
    """
    made: list[str] = []
    # Queues are looked for when the deployments that need them are there.
    for missing in (missing_parts, missing_queue_settings):
        for change in await missing(client, wanted):
            await change.make()
            made.append(change.what)
    return made


async def differences(client: PrefectClient, wanted: Installation) -> list[str]:
    """What `install` would change."""
    changes = await missing_parts(client, wanted)
    if not changes:
        changes = await missing_queue_settings(client, wanted)
    return [change.what for change in changes]


async def missing_parts(client: PrefectClient, wanted: Installation) -> list[Change]:
    """What the pool and the deployments lack.

    Raises:
        ParameterError: The pool there is of another type, or the jobs would have no image.
    """
    pool = await pool_of(client, wanted.work_pool)
    changes = _pool_changes(client, wanted, pool)
    template = wanted.base_job_template or (pool.base_job_template if pool else {})
    pool_type = pool.type if pool else wanted.pool_type or PROCESS
    for definition in deployment_definitions():
        variables = wanted.job_variables.of(definition, template)
        _check_required(variables, template)
        if pool_type == PROCESS:
            variables |= _process_job(definition)
        changes += await _deployment_changes(client, definition, wanted, variables)
    return changes


async def pool_of(client: PrefectClient, name: str) -> WorkPool | None:
    """The work pool of this name, None when there is none."""
    with suppress(ObjectNotFound):
        return await client.read_work_pool(name)
    return None


def _pool_changes(
    client: PrefectClient, wanted: Installation, pool: WorkPool | None
) -> list[Change]:
    name, template = wanted.work_pool, wanted.base_job_template
    if pool is None:
        return [Change(f"work pool {name}: missing", lambda: _create_pool(client, wanted))]
    if wanted.pool_type not in {None, pool.type}:
        raise ParameterError(
            "work-pool-type",
            wanted.pool_type,
            f"the type of the work pool {name} on this server, {pool.type}",
            "pass another --pool, or delete that one first",
        )
    if template is None or template == pool.base_job_template:
        return []
    update = WorkPoolUpdate(base_job_template=dict(template))
    return [
        Change(
            f"work pool {name}: another base job template",
            lambda: client.update_work_pool(name, update),
        )
    ]


async def _create_pool(client: PrefectClient, wanted: Installation) -> None:
    create = WorkPoolCreate(
        name=wanted.work_pool,
        type=wanted.pool_type or PROCESS,
        base_job_template=dict(wanted.base_job_template or {}),
    )
    # Another process may have been faster.
    with suppress(ObjectAlreadyExists):
        await client.create_work_pool(create)


def _check_required(variables: Mapping[str, Any], template: Template) -> None:
    schema = template.get("variables", {})
    for name in schema.get("required", []):
        if variables.get(name, schema["properties"][name].get("default")) is None:
            raise ParameterError(
                "job-variable",
                name,
                "set, which the work pool's base job template requires",
                f"pass --job-variable {name}=VALUE" + (" or --image" if name == "image" else ""),
            )


def _process_job(definition: DeploymentDefinition) -> dict[str, Any]:
    """Start a run's process with its flow named, so that it need not ask the server for it.

    The process worker watches over it as over its default command: it is told to stop when its
    run is cancelled, and its run is marked crashed when it dies.
    """
    return {"command": f"python -m flows.job {definition.entrypoint}"}


async def _deployment_changes(
    client: PrefectClient,
    definition: DeploymentDefinition,
    installation: Installation,
    job_variables: dict[str, Any],
) -> list[Change]:
    flow = flow_of(definition.entrypoint)
    wanted: dict[str, Any] = {
        "version": flow.version,
        "description": definition.description,
        "tags": list(definition.tags),
        "entrypoint": definition.entrypoint,
        "pull_steps": [],
        "work_pool_name": installation.work_pool,
        "work_queue_name": definition.work_queue,
        "job_variables": job_variables,
        "parameter_openapi_schema": parameters_of(flow),
        "enforce_parameter_schema": True,
    }
    name = f"{flow.name}/{definition.name}"
    try:
        existing = await client.read_deployment_by_name(name)
    except ObjectNotFound:
        active = bool(installation.schedules)
        wanted["schedules"] = [schedule_of(cron, active=active) for cron in definition.schedules]
        return [
            Change(
                f"deployment {name}: missing",
                lambda: _create_deployment(client, flow, definition.name, wanted),
            )
        ]
    changes = schedule_changes(client, name, existing, definition, installation.schedules)
    different = _different(existing, wanted)
    if not different:
        return changes
    update = DeploymentUpdate(**{key: wanted[key] for key in different})
    return [
        Change(
            f"deployment {name}: another {', '.join(_shown(different, existing, wanted))}",
            lambda: client.update_deployment(existing.id, update),
        ),
        *changes,
    ]


def _different(existing: DeploymentResponse, wanted: Mapping[str, Any]) -> list[str]:
    """The fields in which a deployment is not as wanted.

    Only these are sent: creating it anew would delete the schedules it was given on the server.
    """
    different = [key for key, value in wanted.items() if getattr(existing, key) != value]
    if "work_pool_name" in different and "work_queue_name" not in different:
        # Sent without its queue, a pool means the pool's default queue.
        different.append("work_queue_name")
    return different


def _shown(
    different: list[str], existing: DeploymentResponse, wanted: Mapping[str, Any]
) -> list[str]:
    """The names of differing fields, of job variables their own; values may be secret."""
    old, new = existing.job_variables or {}, wanted["job_variables"]
    variables = sorted(name for name in old | new if old.get(name) != new.get(name))
    return [key for key in different if key != "job_variables"] + variables


async def _create_deployment(
    client: PrefectClient, flow: Flow[..., Any], name: str, wanted: Mapping[str, Any]
) -> None:
    await client.create_deployment(flow_id=await client.create_flow(flow), name=name, **wanted)


async def missing_queue_settings(client: PrefectClient, wanted: Installation) -> list[Change]:
    """What the queues of a pool with deployments lack.

    A worker takes runs by the priority of their queues, 1 first: a parent must not wait behind
    the thousands of partitions of another.
    """
    read = client.read_work_queue_by_name
    parents = await read(PARENTS_QUEUE, wanted.work_pool)
    partitions = await read(PARTITIONS_QUEUE, wanted.work_pool)
    changes = []
    if parents.priority > partitions.priority:
        changes.append(
            Change(
                f"work queue {PARENTS_QUEUE}: not before {PARTITIONS_QUEUE}",
                lambda: client.update_work_queue(parents.id, priority=1),
            )
        )
    limit = wanted.partition_limit
    if limit is not None and partitions.concurrency_limit != limit:
        changes.append(
            Change(
                f"work queue {PARTITIONS_QUEUE}: another concurrency limit",
                lambda: client.update_work_queue(partitions.id, concurrency_limit=limit),
            )
        )
    for name, at_once in SERVICE_LIMITS.items():
        # A limit that somebody has set counts; one that nobody has set is ours to set.
        with suppress(ObjectNotFound):
            queue = await read(name, wanted.work_pool)
            if queue.concurrency_limit is None:
                set_limit = partial(client.update_work_queue, queue.id, concurrency_limit=at_once)
                changes.append(Change(f"work queue {name}: no concurrency limit", set_limit))
    return changes
