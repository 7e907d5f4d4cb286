"""Registering the deployments of `prefect.yaml`, in this process.

`prefect deploy --all` does the same; it needs a shell, a work pool that exists and half a minute.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from flows.settings import project_root

PARTITIONS_QUEUE = "partitions"


async def register_deployments(
    client: PrefectClient,
    work_pool_name: str,
    *,
    work_pool_type: str = "process",
    partition_limit: int | None = None,
) -> None:
    """Create or update the work pool, its queues and the deployments of `prefect.yaml`.

    Args:
        client: A client of the server.
        work_pool_name: The pool that the deployments shall use.
        work_pool_type: Its type, when it has to be created.
        partition_limit: Partition jobs that workers may run at once; None leaves the queue's
            limit as it is.
    """
    pool_type = await _ensure_work_pool(client, work_pool_name, work_pool_type)
    for definition in _definitions(project_root() / "prefect.yaml"):
        job_variables = _process_job(definition) if pool_type == "process" else {}
        await _register(client, definition, work_pool_name, job_variables)
    if partition_limit is not None:
        queue = await client.read_work_queue_by_name(PARTITIONS_QUEUE, work_pool_name)
        await client.update_work_queue(queue.id, concurrency_limit=partition_limit)


async def _ensure_work_pool(client: PrefectClient, name: str, pool_type: str) -> str:
    """Make sure that there is such a work pool, and return the type it has."""
    try:
        return (await client.read_work_pool(name)).type
    except ObjectNotFound:
        # Another process may have been faster.
        with suppress(ObjectAlreadyExists):
            await client.create_work_pool(WorkPoolCreate(name=name, type=pool_type))
        return (await client.read_work_pool(name)).type


def _process_job(definition: dict[str, Any]) -> dict[str, Any]:
    """Start a run's process with its flow named, so that it need not ask the server for it.

    The process worker watches over it as over its default command: it is told to stop when its
    run is cancelled, and its run is marked crashed when it dies.
    """
    return {"command": f"python -m prefect.flow_engine {definition['entrypoint']}"}


def _definitions(file: Path) -> list[dict[str, Any]]:
    definitions: list[dict[str, Any]] = yaml.safe_load(file.read_text())["deployments"]
    return definitions


async def _register(
    client: PrefectClient,
    definition: dict[str, Any],
    work_pool_name: str,
    job_variables: dict[str, Any],
) -> None:
    flow: Flow[..., Any] = load_flow_from_entrypoint(definition["entrypoint"])
    flow_id = await client.create_flow(flow)
    await client.create_deployment(
        flow_id=flow_id,
        name=definition["name"],
        version=flow.version,
        description=definition["description"],
        tags=definition["tags"],
        entrypoint=definition["entrypoint"],
        pull_steps=[],
        work_pool_name=work_pool_name,
        work_queue_name=definition["work_pool"]["work_queue_name"],
        job_variables=job_variables,
        parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
        enforce_parameter_schema=True,
    )
