"""Rules that every manifest of the chart keeps, over a matrix of values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import typer
from prefect.settings.models.root import Settings

from cli.app import app
from tests.charts.rendering import (
    CHART,
    EXTERNAL_DATABASE,
    FULLNAME,
    INGRESS,
    MONITORED,
    NAME,
    NAMESPACE,
    OWN_API,
    OWN_STORE,
    REPLICATED,
    SAMPLE,
    SQLITE,
    Manifest,
    Release,
    containers,
    merged,
    nested,
    render,
)

MATRIX = {
    "defaults": {},
    "replicated": REPLICATED,
    "replicated external": merged(REPLICATED, EXTERNAL_DATABASE, OWN_STORE),
    "sqlite": SQLITE,
    "own api": OWN_API,
    "own api and store": merged(OWN_API, OWN_STORE),
    "own api with a password": {
        "prefect": {
            "apiUrl": "http://prefect.tools:4200/api",
            "auth": {"existingSecret": "password", "key": "login"},
        }
    },
    "everything on": merged(INGRESS, MONITORED, SAMPLE, REPLICATED),
    "everything off": {
        "prefect": {"auth": {"enabled": False}},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "rbac": {"create": False},
        "serviceAccounts": {
            role: {"create": False, "name": f"our-{role}"} for role in ("worker", "jobs", "server")
        },
    },
    "any user": nested(
        "pods.securityContext", {"runAsUser": None, "runAsGroup": None, "fsGroup": None}
    ),
    "digest": {
        "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": [{"name": "registry"}]},
    },
}
BETWEEN = ("sqlite", "everything on")
VERSIONS = [f"1.{minor}" for minor in range(30, 37)]
NATIVE_GROUPS = ("", "apps", "batch", "policy", "networking.k8s.io", "rbac.authorization.k8s.io")

_ROLE_OF_FLOW_RUNS = "flow-run"


@pytest.fixture(params=list(MATRIX))
def release(request: pytest.FixtureRequest) -> Release:
    return render(MATRIX[request.param])


def _pods(release: Release) -> Iterator[tuple[str, Manifest]]:
    for component, workload in release.workloads().items():
        yield component, workload["spec"]["template"]


def _all_containers(release: Release) -> Iterator[tuple[str, Manifest]]:
    for component, pod in _pods(release):
        for container in containers(pod):
            yield f"{component}/{container['name']}", container


def _group(manifest: Manifest) -> str:
    group, slash, _ = manifest["apiVersion"].partition("/")
    return str(group) if slash else ""


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_helm_lint_finds_nothing(values: dict[str, Any]) -> None:
    report = helm_python.lint(CHART, values, strict=True, namespace=NAMESPACE)
    assert report["errors"] == []
    warnings = [message for message in report["messages"] if message["severity"] > 1]
    assert warnings == []


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


def test_pods_pass_the_restricted_pod_security_standard(release: Release) -> None:
    allowed_volumes = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
    for component, pod in _pods(release):
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), component
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"].get("runAsUser") != 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= allowed_volumes, component
    for name, container in _all_containers(release):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert not {"privileged", "runAsUser", "procMount", "seLinuxOptions"} & set(security)
        assert not any("hostPort" in port for port in container.get("ports", []))


def test_containers_have_a_pinned_image_requests_limits_and_a_place_to_write(
    release: Release,
) -> None:
    for name, container in _all_containers(release):
        assert re.fullmatch(r"[^:@]+(:[0-9][^:@]*|@sha256:[0-9a-f]{64})", container["image"]), name
        for kind in ("requests", "limits"):
            assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"][kind]), name
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"], name  # noqa: S108


def test_what_serves_has_probes_and_jobs_have_an_end(release: Release) -> None:
    for component, workload in release.workloads().items():
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        if workload["kind"] == "Job":
            assert workload["spec"]["activeDeadlineSeconds"] > 0
            assert workload["spec"]["ttlSecondsAfterFinished"] > 0
            assert workload["spec"]["backoffLimit"] == 0
        elif component != "background-services":  # opens no port
            probes = {"startupProbe", "livenessProbe", "readinessProbe"}
            assert probes <= set(container), component


def test_named_ports_of_probes_and_services_exist(release: Release) -> None:
    for name, container in _all_containers(release):
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if "httpGet" in container.get(probe, {}):
                assert container[probe]["httpGet"]["port"] in ports, name
    for service in release.all("Service"):
        component = service["metadata"]["labels"]["app.kubernetes.io/component"]
        ports = {port["name"] for port in release.container(component)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def _selects(selector: dict[str, str], pod: Manifest) -> bool:
    labels: dict[str, str] = pod["metadata"]["labels"]
    return selector.items() <= labels.items()


def test_selectors_select_their_own_pods_and_no_others(release: Release) -> None:
    pods = dict(_pods(release))
    for component, workload in release.workloads().items():
        if workload["kind"] != "Job":
            selector = workload["spec"]["selector"]["matchLabels"]
            assert [other for other in pods if _selects(selector, pods[other])] == [component]
    for kind in ("Service", "PodDisruptionBudget"):
        for manifest in release.all(kind):
            component = manifest["metadata"]["labels"]["app.kubernetes.io/component"]
            selector = manifest["spec"]["selector"]
            selector = selector.get("matchLabels", selector)
            assert [other for other in pods if _selects(selector, pods[other])] == [component]


def test_every_pod_is_covered_by_exactly_one_network_policy(release: Release) -> None:
    policies = [
        policy["spec"]["podSelector"]["matchLabels"] for policy in release.all("NetworkPolicy")
    ]
    if not policies:
        pytest.skip("these values turn NetworkPolicies off")
    for component, pod in _pods(release):
        assert sum(_selects(policy, pod) for policy in policies) == 1, component
    spec = release.job_template()["job_configuration"]["job_manifest"]["spec"]["template"]
    flow_run = {
        name: value.replace("{{ release }}", release.job_default("release"))
        for name, value in spec["metadata"]["labels"].items()
    }
    covering = [policy for policy in policies if policy.items() <= flow_run.items()]
    assert covering == [
        {"trading-fanout/component": _ROLE_OF_FLOW_RUNS, "trading-fanout/release": NAME}
    ]
    for policy in release.all("NetworkPolicy"):
        assert sorted(policy["spec"]["policyTypes"]) == ["Egress", "Ingress"]
    assert len(policies) == len(release.workloads()) + 1


def test_network_policies_let_only_named_pods_reach_database_and_store(release: Release) -> None:
    for policy in release.all("NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            assert rule["from"], policy["metadata"]["name"]
            assert rule["ports"]
    for component, expected in {
        "postgres": {"server", "background-services"},
        "store": {"flow-run", "prepare-storage", "test"},
    }.items():
        if release.has("NetworkPolicy", component):
            (rule,) = release.one("NetworkPolicy", component)["spec"]["ingress"]
            peers = [peer["podSelector"]["matchLabels"] for peer in rule["from"]]
            names = {
                peer.get("app.kubernetes.io/component", peer.get("trading-fanout/component"))
                for peer in peers
            }
            assert names == expected
            assert "egress" not in release.one("NetworkPolicy", component)["spec"]


def test_only_the_worker_talks_to_the_kubernetes_api(release: Release) -> None:
    tokens = {component for component, pod in _pods(release)
              if pod["spec"]["automountServiceAccountToken"]}  # fmt: skip
    assert tokens == {"worker"}
    for account in release.all("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    manifest = release.job_template()["job_configuration"]["job_manifest"]
    assert manifest["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_rights_are_the_workers_and_exactly_what_it_asks_for(release: Release) -> None:
    assert not release.all("ClusterRole")
    assert not release.all("ClusterRoleBinding")
    if not release.all("Role"):
        pytest.skip("these values turn the Role off")
    (role,) = release.all("Role")
    rights = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert rights == {
        *(("batch", "jobs", verb) for verb in ("create", "get", "list", "watch", "delete")),
        ("", "pods", "list"),
        ("", "pods", "watch"),
        ("", "pods/log", "get"),
    }
    (binding,) = release.all("RoleBinding")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == (f"{FULLNAME}-worker", NAMESPACE)
    namespaces = "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES"
    assert release.variables("worker")[namespaces] == NAMESPACE


_SECRET = re.compile(r"KEY|PASSWORD|AUTH_STRING|SECRET|TOKEN|CONNECTION_URL|REDIS.*URL|DOCKET_URL")
_NAMES_OF_SECRETS = re.compile(r"_SECRET_(NAME|KEY)$")


def test_no_secret_is_in_plain_sight(release: Release) -> None:
    values = [
        value
        for secret in release.all("Secret")
        for value in secret["stringData"].values()
        if value != "admin"
    ]
    assert all(len(value) >= 20 for value in values)
    elsewhere = repr([one for one in release.manifests if one["kind"] != "Secret"])
    assert not any(value in elsewhere for value in values)
    for name, container in _all_containers(release):
        for variable in container.get("env", []):
            if "value" not in variable or _NAMES_OF_SECRETS.search(variable["name"]):
                continue
            if _SECRET.search(variable["name"]):
                assert variable["value"].startswith("sqlite+"), f"{name} {variable['name']}"
    assert not any(_SECRET.search(name) for name in release.settings())


def test_jobs_refer_to_the_secret_with_which_the_worker_itself_signs_in(release: Release) -> None:
    environment = release.variables("worker")
    prefix = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API"
    for variable, settings in {
        "PREFECT_API_KEY": f"{prefix}_KEY_SECRET",
        "PREFECT_API_AUTH_STRING": f"{prefix}_AUTH_STRING_SECRET",
    }.items():
        source = environment.get(variable)
        named = {"name": environment.get(f"{settings}_NAME"),
                 "key": environment.get(f"{settings}_KEY")}  # fmt: skip
        expected = {"name": None, "key": None} if source is None else source["secretKeyRef"]
        assert named == expected


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


def test_services_set_no_variables_in_pods(release: Release) -> None:
    # A Service called prefect-server would set PREFECT_SERVER_PORT to tcp://...
    assert all(pod["spec"]["enableServiceLinks"] is False for _, pod in _pods(release))


def test_volumes_that_are_mounted_exist(release: Release) -> None:
    for component, workload in release.workloads().items():
        claims = workload["spec"].get("volumeClaimTemplates", [])
        spec = workload["spec"]["template"]["spec"]
        known = {claim["metadata"]["name"] for claim in claims}
        known |= {volume["name"] for volume in spec["volumes"]}
        for container in containers(workload["spec"]["template"]):
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= known, component


def test_what_is_referred_to_is_made_or_named_in_the_values(release: Release) -> None:
    secrets = {secret["metadata"]["name"]: set(secret["stringData"])
               for secret in release.all("Secret")}  # fmt: skip
    for name, container in _all_containers(release):
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
    used = {pod["spec"]["serviceAccountName"] for _, pod in _pods(release)}
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
    assert release.workloads()["test"]["metadata"]["annotations"]["helm.sh/hook"] == "test"


def test_commands_of_ours_have_the_options_that_they_are_given(release: Release) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for component in release.workloads():
        program, command, *arguments = release.container(component)["args"]
        if program == "trading":
            known = {option for parameter in commands[command].params for option in parameter.opts}
            assert {argument.partition("=")[0] for argument in arguments} <= known, component
