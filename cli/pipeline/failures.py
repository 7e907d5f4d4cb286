"""Which partitions failed: what only a Prefect server knows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from cli.pipeline.credentials import use_credentials_block
from flows.deploy.deployments import ANALYZE_TIME_PARTITION
from lake.dataset import PartitionStatus, SymbolStatus
from lake.keys import Partition
from servers.connection import REACH_SECONDS, Connection, named_api_url, without_credentials
from servers.errors import CommandError
from servers.prefect import is_healthy

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import FlowRun

    from flows.boundary.settings import Settings

_, DEPLOYMENT = ANALYZE_TIME_PARTITION.split("/")

PAGE = 200
"""Flow runs of one answer, the server's limit."""

LOOKED_AT = 20 * PAGE
"""Most failed runs that are looked at, the newest."""

NAMES = 100
"""Runs' names in one request."""


def named_server(settings: Settings) -> str | None:
    """The API that PREFECT_API_URL names, when it answers; the settings' credentials are used.

    Raises:
        CommandError: It is needed for credentials and does not answer.
        ParameterError: It has no such block.
    """
    named = named_api_url()
    answers = named is not None and is_healthy(named, REACH_SECONDS)
    if settings.aws_credentials_block is not None:
        if named is None or not answers:
            raise CommandError(
                "TRADING_AWS_CREDENTIALS_BLOCK names a block of a Prefect server, and "
                "PREFECT_API_URL names none that answers; correct it or unset the block."
            )
        use_credentials_block(settings, Connection(named, local=None))
    return named if answers else None


def server_note(server: str | None) -> str:
    """Where failures are known from, or why they are not."""
    if server is not None:
        return f"Failures as {without_credentials(server)} knows them."
    if os.environ.get("PREFECT_API_URL"):
        return "Failures count as missing or stale: PREFECT_API_URL does not answer."
    return "Failures count as missing or stale: PREFECT_API_URL names no server to ask."


def with_failures(
    output_dir: str, statuses: Sequence[SymbolStatus[Partition]]
) -> list[SymbolStatus[Partition]]:
    """The statuses, with what the current Prefect server knows of failed runs.

    Args:
        output_dir: Where the results are: runs into other directories do not count.
        statuses: Of the contracts, from input and results alone.

    Raises:
        CommandError: The server refused or failed a request.
    """
    from servers.readiness import server_errors  # noqa: PLC0415 - loads Prefect

    undone = {
        partition.label
        for status in statuses
        for partition in status.having({PartitionStatus.MISSING, PartitionStatus.STALE})
    }
    if not undone:
        return list(statuses)
    with server_errors():
        failed = asyncio.run(_last_failed(output_dir, undone))
    return [status.with_failures(failed) for status in statuses]


async def _last_failed(output_dir: str, labels: Collection[str]) -> set[str]:
    """Of partitions by their label, those whose last flow run into this directory failed."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - slow
    from prefect.client.schemas.filters import (  # noqa: PLC0415 - slow
        FlowRunFilter,
        FlowRunFilterName,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType  # noqa: PLC0415 - slow

    failures = [StateType.FAILED, StateType.CRASHED]
    in_failure = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=failures)))
    async with get_client() as client:
        found = await _runs(client, in_failure, LOOKED_AT)
        names = sorted(_last(found, output_dir).keys() & set(labels))
        last: dict[str, FlowRun] = {}
        for first in range(0, len(names), NAMES):
            named = FlowRunFilterName(any_=names[first : first + NAMES])
            runs = await _runs(client, FlowRunFilter(name=named), LOOKED_AT)
            last |= _last(runs, output_dir)
    return {name for name, run in last.items() if run.state_type in failures}


def _last(runs: Iterable[FlowRun], output_dir: str) -> dict[str, FlowRun]:
    """Name -> the run into the directory that was created last."""
    into = [r for r in runs if _names(r.parameters.get("output_dir"), output_dir) and r.created]
    return {run.name: run for run in sorted(into, key=lambda run: str(run.created))}


def _names(url: object, directory: str) -> bool:
    """Whether a run's parameter names the directory, with a slash at its end or without."""
    return isinstance(url, str) and url.rstrip("/") == directory.rstrip("/")


async def _runs(client: PrefectClient, wanted: FlowRunFilter, at_most: int) -> list[FlowRun]:
    """Flow runs of partitions, the newest first."""
    from prefect.client.schemas.filters import (  # noqa: PLC0415 - slow
        DeploymentFilter,
        DeploymentFilterName,
    )
    from prefect.client.schemas.sorting import FlowRunSort  # noqa: PLC0415 - slow

    deployment = DeploymentFilter(name=DeploymentFilterName(any_=[DEPLOYMENT]))
    found: list[FlowRun] = []
    while len(found) < at_most:
        page = await client.read_flow_runs(
            flow_run_filter=wanted,
            deployment_filter=deployment,
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=PAGE,
            offset=len(found),
        )
        found += page
        if len(page) < PAGE:
            break
    return found
