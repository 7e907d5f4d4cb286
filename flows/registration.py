"""Registering the deployments of `prefect.yaml`, in this process.

`prefect deploy --all` does the same; it needs a shell, a work pool that exists and half a minute.
"""

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
    await _ensure_work_pool(client, work_pool_name, work_pool_type)
    for definition in _definitions(project_root() / "prefect.yaml"):
        await _register(client, definition, work_pool_name)
    if partition_limit is not None:
        queue = await client.read_work_queue_by_name(PARTITIONS_QUEUE, work_pool_name)
        await client.update_work_queue(queue.id, concurrency_limit=partition_limit)


async def _ensure_work_pool(client: PrefectClient, name: str, pool_type: str) -> None:
    try:
        await client.read_work_pool(name)
    except ObjectNotFound:
        try:
            await client.create_work_pool(WorkPoolCreate(name=name, type=pool_type))
        except ObjectAlreadyExists:
            return  # another process was faster


def _definitions(file: Path) -> list[dict[str, Any]]:
    definitions: list[dict[str, Any]] = yaml.safe_load(file.read_text())["deployments"]
    return definitions


async def _register(client: PrefectClient, definition: dict[str, Any], work_pool_name: str) -> None:
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
        parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
        enforce_parameter_schema=True,
    )
