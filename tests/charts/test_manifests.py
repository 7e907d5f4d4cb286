"""Rules that every manifest of the chart keeps, over a matrix of values."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import typer
from prefect.settings.models.root import Settings

from cli.app import app
from tests.charts.matrix import MATRIX, containers_of, pods_of, selects
from tests.charts.rendering import (
    CHART,
    FULLNAME,
    NAME,
    NAMESPACE,
    Manifest,
    Release,
    containers,
    render,
)

BETWEEN = ("sqlite", "everything on", "live")
VERSIONS = [f"1.{minor}" for minor in range(30, 37)]
NATIVE_GROUPS = (
    "",
    "apps",
    "autoscaling",
    "batch",
    "policy",
    "networking.k8s.io",
    "rbac.authorization.k8s.io",
)


def _group(manifest: Manifest) -> str:
    group, slash, _ = manifest["apiVersion"].partition("/")
    return str(group) if slash else ""


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_helm_lint_finds_nothing(values: dict[str, Any]) -> None:
    report = helm_python.lint(CHART, values, strict=True, namespace=NAMESPACE)
    assert report["errors"] == []
    warnings = [message for message in report["messages"] if message["severity"] > 1]
    assert warnings == []


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid_in_every_supported_kubernetes(version: str) -> None:
    # Most are the same with most values, and each is validated once: all in the oldest and the
    # newest version, and in those between them one of every kind.
    ends = version in (VERSIONS[0], VERSIONS[-1])
    different = {
        json.dumps(manifest, sort_keys=True)
        for name, values in MATRIX.items()
        if ends or name in BETWEEN
        for manifest in render(values).manifests
        if manifest["kind"] != "Secret" or values == {}
    }
    for text in sorted(different):
        manifest = json.loads(text)
        if _group(manifest) in NATIVE_GROUPS:
            kubernetes_validate.validate(manifest, version, strict=True)
        else:
            assert _group(manifest) == "monitoring.coreos.com"


def test_everything_is_in_the_releases_namespace_and_labelled(release: Release) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in release.manifests]
    assert len(names) == len(set(names))
    for manifest in release.manifests:
        metadata = manifest["metadata"]
        assert metadata["namespace"] == NAMESPACE, metadata["name"]
        labels = metadata["labels"]
        assert labels["app.kubernetes.io/instance"] == NAME
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert {"app.kubernetes.io/component", "app.kubernetes.io/version", "helm.sh/chart"} <= set(
            labels
        )


def test_containers_have_a_pinned_image_requests_limits_and_a_place_to_write(
    release: Release,
) -> None:
    for name, container in containers_of(release):
        assert re.fullmatch(r"[^:@]+(:[0-9][^:@]*|@sha256:[0-9a-f]{64})", container["image"]), name
        for kind in ("requests", "limits"):
            assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"][kind]), name
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"], name  # noqa: S108


def test_kubectl_is_told_which_container_of_a_pod_is_meant(release: Release) -> None:
    """Otherwise `kubectl logs` and `exec` speak of "Defaulted container" each time."""
    for component, pod in pods_of(release):
        named = pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"]
        assert named == release.container(component)["name"], component


def test_what_serves_has_probes_and_jobs_have_an_end(release: Release) -> None:
    for component, workload in release.workloads().items():
        container = release.container(component)
        if workload["kind"] == "Pod":
            assert workload["spec"]["activeDeadlineSeconds"] > 0
            assert workload["spec"]["restartPolicy"] == "Never"
        elif workload["kind"] == "Job":
            assert workload["spec"]["activeDeadlineSeconds"] > 0
            assert workload["spec"]["ttlSecondsAfterFinished"] > 0
            assert workload["spec"]["backoffLimit"] == 0
        elif component not in {"background-services", "console"}:  # which open no port
            probes = {"startupProbe", "livenessProbe", "readinessProbe"}
            assert probes <= set(container), component


def test_named_ports_of_probes_and_services_exist(release: Release) -> None:
    for name, container in containers_of(release):
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if "httpGet" in container.get(probe, {}):
                assert container[probe]["httpGet"]["port"] in ports, name
    for service in release.all("Service"):
        component = service["metadata"]["labels"]["app.kubernetes.io/component"]
        ports = {port["name"] for port in release.container(component)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_selectors_select_their_own_pods_and_no_others(release: Release) -> None:
    pods = dict(pods_of(release))
    for component, workload in release.workloads().items():
        if workload["kind"] not in ("Job", "Pod"):
            selector = workload["spec"]["selector"]["matchLabels"]
            assert [other for other in pods if selects(selector, pods[other])] == [component]
    for kind in ("Service", "PodDisruptionBudget"):
        for manifest in release.all(kind):
            component = manifest["metadata"]["labels"]["app.kubernetes.io/component"]
            selector = manifest["spec"]["selector"]
            selector = selector.get("matchLabels", selector)
            assert [other for other in pods if selects(selector, pods[other])] == [component]


def _known_settings() -> set[str]:
    """The environment variables that Prefect reads, as its settings' schema lists them."""
    schema = Settings.model_json_schema()
    names: set[str] = set()
    for model in [schema, *schema["$defs"].values()]:
        for field in model.get("properties", {}).values():
            names.update(field.get("supported_environment_variables", []))
    return names


def test_variables_are_settings_that_prefect_knows(release: Release) -> None:
    known = _known_settings()
    # Settings of prefect-redis and prefect-kubernetes.
    of_integrations = ("PREFECT_REDIS_", "PREFECT_INTEGRATIONS_KUBERNETES_")
    for component in release.workloads():
        for name in release.variables(component):
            if name.startswith("PREFECT_") and not name.startswith(of_integrations):
                assert name in known, f"{component} {name}"


def test_variables_have_values_that_prefect_takes(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    for component in release.workloads():
        with monkeypatch.context() as patch:
            for name, value in release.variables(component).items():
                if name.startswith("PREFECT_") and isinstance(value, str):
                    patch.setenv(name, value)
            server = Settings().server
        if component == "server":
            assert server.events.retention_period == timedelta(days=7)
            assert server.services.db_vacuum.retention_period == timedelta(days=30)
            assert server.services.db_vacuum.enabled == {"events", "flow_runs"}


def test_services_set_no_variables_inpods_of(release: Release) -> None:
    # A Service called prefect-server would set PREFECT_SERVER_PORT to tcp://...
    assert all(pod["spec"]["enableServiceLinks"] is False for _, pod in pods_of(release))


def test_volumes_that_are_mounted_exist(release: Release) -> None:
    for component, workload in release.workloads().items():
        claims = workload["spec"].get("volumeClaimTemplates", [])
        pod = release.pod(component)
        known = {claim["metadata"]["name"] for claim in claims}
        known |= {volume["name"] for volume in pod["spec"]["volumes"]}
        for container in containers(pod):
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= known, component


def test_what_is_referred_to_is_made_or_named_in_the_values(release: Release) -> None:
    secrets = {secret["metadata"]["name"]: set(secret["stringData"])
               for secret in release.all("Secret")}  # fmt: skip
    for name, container in containers_of(release):
        for variable in container.get("env", []):
            source = variable.get("valueFrom", {}).get("secretKeyRef")
            if source and source["name"].startswith(FULLNAME):
                assert source["key"] in secrets[source["name"]], name
        for source in container.get("envFrom", []):
            for kind, made in (("secretRef", set(secrets)), ("configMapRef", None)):
                if kind in source and source[kind]["name"].startswith(FULLNAME):
                    names = made or {one["metadata"]["name"] for one in release.all("ConfigMap")}
                    assert source[kind]["name"] in names
    accounts = {account["metadata"]["name"] for account in release.all("ServiceAccount")}
    used = {pod["spec"]["serviceAccountName"] for _, pod in pods_of(release)}
    used.add(release.job_default("service_account_name"))
    assert all(name in accounts or name.startswith("our-") for name in used)


def test_hooks_leave_nothing_when_they_succeed_and_their_log_when_they_fail(
    release: Release,
) -> None:
    for job in release.all("Job"):
        annotations = job["metadata"]["annotations"]
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
        assert annotations["helm.sh/hook-output-log-policy"] == "hook-failed"
    weights = {
        component: int(workload["metadata"]["annotations"]["helm.sh/hook-weight"])
        for component, workload in release.workloads().items()
        if workload["kind"] == "Job"
    }
    if "prepare-storage" in weights:
        assert weights["prepare-storage"] < weights["register"]


def test_a_rollback_registers_the_old_image_and_template_again(release: Release) -> None:
    for job in release.all("Job"):
        events = job["metadata"]["annotations"]["helm.sh/hook"].split(",")
        assert events in (
            ["post-install", "post-upgrade", "post-rollback"],
            # A schema is not migrated back, and programs refuse one that is newer than they are.
            ["pre-install", "pre-upgrade"],
            ["post-delete"],
        )


def test_helm_test_finds_the_log_of_a_pod_of_the_hooks_name(release: Release) -> None:
    (pod,) = release.all("Pod")
    annotations = pod["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "test"
    # `helm test --logs` asks for it once hooks that succeeded are deleted.
    assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"
    assert annotations["helm.sh/hook-output-log-policy"] == "hook-failed"
    # It names no container.
    assert len(pod["spec"]["containers"]) == 1


def test_what_hooks_leave_has_the_label_of_the_flow_runs_jobs(release: Release) -> None:
    for hook in [*release.all("Job"), *release.all("Pod")]:
        assert hook["metadata"]["labels"]["trading-fanout/release"] == NAME
        assert "trading-fanout/component" not in hook["metadata"]["labels"]


def test_commands_of_ours_have_the_options_that_they_are_given(release: Release) -> None:
    for component in release.workloads():
        program, *arguments = release.container(component)["args"]
        if program == "trading":
            command = typer.main.get_command(app)
            while arguments and arguments[0] in getattr(command, "commands", {}):
                command = command.commands[arguments.pop(0)]  # type: ignore[attr-defined]
            command.make_context(component, arguments)
