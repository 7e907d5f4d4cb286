"""What the chart says of flow runs' Jobs reaches the Jobs of all six deployments."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_UI_URL, temporary_settings
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from flows.deploy.wiring import DeploymentDefinition, JobVariables, deployment_definitions
from tests.charts import given
from tests.charts.rendering import Manifest, Release, Values, render

DEPLOYMENTS = {definition.name: definition for definition in deployment_definitions()}


async def job_of(definition: DeploymentDefinition, release: Release) -> Manifest:
    """The Job that the worker makes of a run of the deployment."""
    template = release.job_template()
    configuration = await KubernetesWorkerJobConfiguration.from_template_and_values(
        template, JobVariables().of(definition, template), client=object()
    )
    configuration.prepare_for_flow_run(FlowRun(flow_id=UUID(int=1), name="run"))
    manifest: dict[str, Any] = configuration.job_manifest
    return manifest


def container_of(job: Manifest) -> Manifest:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


@pytest.mark.parametrize("name", DEPLOYMENTS)
async def test_resources_and_deadline_reach_the_jobs_of(name: str) -> None:
    resources = {
        kind: {"cpu": f"{size}m", "memory": f"{size}Mi", "ephemeral-storage": f"{size}Mi"}
        for kind, size in (("requests", 301), ("limits", 1302))
    }
    values: Values = {"jobs": {"resources": resources, "activeDeadlineSeconds": 7201}}
    job = await job_of(DEPLOYMENTS[name], render(values))
    assert container_of(job)["resources"] == resources
    assert job["spec"]["activeDeadlineSeconds"] == 7201


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "http://localhost:4200"),
        (given.INGRESS, "http://prefect.example.com"),
        ({"server": {"uiApiUrl": "https://p.example.com/api"}}, "https://p.example.com"),
        ({"prefect": {"uiUrl": "https://ui.example.com"}}, "https://ui.example.com"),
        (given.OWN_API, None),
    ],
)
async def test_links_lead_to_where_browsers_find_the_ui(
    values: Values, expected: str | None
) -> None:
    release = render(values)
    for component in {"server", "worker", "console", "register", "test"} & {*release.workloads()}:
        assert release.variables(component).get("PREFECT_UI_URL") == expected, component
    if expected is None:
        return
    # The worker tells its Jobs.
    with temporary_settings({PREFECT_UI_URL: expected}):
        job = await job_of(DEPLOYMENTS["orchestrator"], release)
    assert {"name": "PREFECT_UI_URL", "value": expected} in container_of(job)["env"]
    assert expected in release.notes
