"""The base job template, through the worker's own class: every variable has its effect."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import kubernetes_validate
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

TEMPLATE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "charts/trading-fanout/files/base-job-template.json").read_text()
)
VARIABLES: dict[str, Any] = TEMPLATE["variables"]["properties"]
IMAGE = "registry.example.com/trading-fanout:1.0.0"
POD = "spec.template.spec"
CONTAINER = f"{POD}.containers.0"
ROOM = {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}}
MOUNT = {"name": "tmp", "mountPath": "/t"}
SECRET = {"secretRef": {"name": "store"}}
KEY = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "store", "key": "key"}}}
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
TOLERATION = {"key": "spot", "operator": "Exists"}
NODES: dict[str, Any] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}

EFFECTS: dict[str, tuple[Any, str, Any]] = {
    "name": ("one job", "metadata.generateName", "one job-"),
    "command": ("python -m job", f"{CONTAINER}.args", ["python", "-m", "job"]),
    "namespace": ("research", "metadata.namespace", "research"),
    "labels": ({"team": "a"}, "spec.template.metadata.labels.team", "a"),
    "release": ("demo", "spec.template.metadata.labels.trading-fanout/release", "demo"),
    "annotations": ({"note": "a b"}, "spec.template.metadata.annotations.note", "a b"),
    "image": ("other:2", f"{CONTAINER}.image", "other:2"),
    "image_pull_policy": ("Always", f"{CONTAINER}.imagePullPolicy", "Always"),
    "image_pull_secrets": ([{"name": "r"}], f"{POD}.imagePullSecrets", [{"name": "r"}]),
    "service_account_name": ("flows", f"{POD}.serviceAccountName", "flows"),
    "env_from": ([SECRET], f"{CONTAINER}.envFrom", [SECRET]),
    "cpu_request": ("1m", f"{CONTAINER}.resources.requests.cpu", "1m"),
    "cpu_limit": ("3", f"{CONTAINER}.resources.limits.cpu", "3"),
    "memory_request": ("1Mi", f"{CONTAINER}.resources.requests.memory", "1Mi"),
    "memory_limit": ("3Gi", f"{CONTAINER}.resources.limits.memory", "3Gi"),
    "ephemeral_storage_request": (
        "1Mi", f"{CONTAINER}.resources.requests.ephemeral-storage", "1Mi",
    ),
    "ephemeral_storage_limit": ("3Gi", f"{CONTAINER}.resources.limits.ephemeral-storage", "3Gi"),
    "active_deadline_seconds": (7, "spec.activeDeadlineSeconds", 7),
    "finished_job_ttl": (8, "spec.ttlSecondsAfterFinished", 8),
    "termination_grace_period_seconds": (9, f"{POD}.terminationGracePeriodSeconds", 9),
    "run_as_user": (1234, f"{POD}.securityContext.runAsUser", 1234),
    "run_as_group": (4321, f"{POD}.securityContext.runAsGroup", 4321),
    "node_selector": ({"disk": "ssd"}, f"{POD}.nodeSelector", {"disk": "ssd"}),
    "affinity": (NODES, f"{POD}.affinity", NODES),
    "tolerations": ([TOLERATION], f"{POD}.tolerations", [TOLERATION]),
    "topology_spread_constraints": ([SPREAD], f"{POD}.topologySpreadConstraints", [SPREAD]),
    "priority_class_name": ("low", f"{POD}.priorityClassName", "low"),
    "runtime_class_name": ("gvisor", f"{POD}.runtimeClassName", "gvisor"),
    "kueue_queue_name": ("q", "metadata.labels.kueue.x-k8s.io/queue-name", "q"),
    "volumes": ([ROOM], f"{POD}.volumes", [ROOM]),
    "volume_mounts": ([MOUNT], f"{CONTAINER}.volumeMounts", [MOUNT]),
}  # fmt: skip
"""Variable -> a value, where in the Job it shows, and as what."""

OF_THE_WORKER = {
    "pod_watch_timeout_seconds": 11, "job_watch_timeout_seconds": 12, "stream_output": True,
}  # fmt: skip
ENVIRONMENT = {"env", "env_value_from"}


async def prepared(**variables: Any) -> KubernetesWorkerJobConfiguration:
    """What the worker makes of the template for a flow run with these job variables."""
    configuration = await KubernetesWorkerJobConfiguration.from_template_and_values(
        TEMPLATE, {"image": IMAGE, **variables}, client=object()
    )
    configuration.prepare_for_flow_run(
        FlowRun(id=uuid4(), flow_id=uuid4(), name="AAPL 2024-01-02 09:30")
    )
    return configuration


def at(manifest: Any, path: str) -> Any:
    """The value at a path; a key may itself hold dots, and the longest that fits is taken."""
    if not path:
        return manifest
    if isinstance(manifest, list):
        head, _, rest = path.partition(".")
        return at(manifest[int(head)], rest)
    parts = path.split(".")
    for size in range(len(parts), 0, -1):
        if (key := ".".join(parts[:size])) in manifest:
            return at(manifest[key], ".".join(parts[size:]))
    return None


def test_every_variable_is_documented_and_has_an_effect_that_is_tested() -> None:
    assert set(VARIABLES) == set(EFFECTS) | set(OF_THE_WORKER) | ENVIRONMENT
    used = set(re.findall(r"{{ (\w+) }}", json.dumps(TEMPLATE["job_configuration"])))
    assert used == set(VARIABLES)
    for name, schema in VARIABLES.items():
        assert schema["title"], name
        assert schema["description"].endswith("."), name
        assert ("default" in schema) is (name != "image")
    assert TEMPLATE["variables"]["required"] == ["image"]


@pytest.mark.parametrize("variable", EFFECTS)
async def test_a_job_variable_takes_effect(variable: str) -> None:
    value, path, shown = EFFECTS[variable]
    without = (await prepared()).job_manifest
    assert at(without, path) != shown
    assert at((await prepared(**{variable: value})).job_manifest, path) == shown


@pytest.mark.parametrize(("variable", "value"), OF_THE_WORKER.items())
async def test_a_variable_of_the_worker_reaches_it(variable: str, value: object) -> None:
    assert getattr(await prepared(), variable) != value
    assert getattr(await prepared(**{variable: value}), variable) == value


async def test_plain_variables_and_references_make_one_environment() -> None:
    made = await prepared(env={"TRADING_JOB_PER": "partition"}, env_value_from=[KEY])
    environment = at(made.job_manifest, f"{CONTAINER}.env")
    assert KEY in environment
    assert {"name": "TRADING_JOB_PER", "value": "partition"} in environment
    names = [variable["name"] for variable in environment]
    assert len(names) == len(set(names))


async def test_a_variable_set_to_null_leaves_its_field_out() -> None:
    made = await prepared(run_as_user=None, active_deadline_seconds=None)
    assert at(made.job_manifest, f"{POD}.securityContext.runAsUser") is None
    assert at(made.job_manifest, "spec.activeDeadlineSeconds") is None


async def test_a_job_is_bounded_and_restricted() -> None:
    made = (await prepared()).job_manifest
    pod, container = at(made, POD), at(made, CONTAINER)
    assert made["spec"]["backoffLimit"] == 0
    assert made["spec"]["ttlSecondsAfterFinished"] > 0
    assert made["spec"]["activeDeadlineSeconds"] > 0
    assert pod["restartPolicy"] == "Never"
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    assert container["args"] == ["python", "-m", "flows.supervised_job"]
    # Which copies the folder that it starts in: where the image has its packages, a gigabyte.
    assert container["workingDir"] == "/app/empty"
    # Eviction reschedules only where Kubernetes itself does not try again.
    behaviour = {"name": "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR", "value": "reschedule"}
    assert behaviour in container["env"]


@pytest.mark.parametrize("version", ["1.30", "1.36"])
async def test_a_job_is_valid(version: str) -> None:
    everything = {name: value for name, (value, _, _) in EFFECTS.items()}
    for made in (await prepared(), await prepared(**everything, env_value_from=[KEY])):
        job = made.job_manifest
        # The worker insists on them where the API server drops them with a warning.
        assert (job["spec"]["template"]["spec"].pop("parallelism"), 1) == (1, 1)
        assert (job["spec"]["template"]["spec"].pop("completions"), 1) == (1, 1)
        kubernetes_validate.validate(job, version, strict=True)
