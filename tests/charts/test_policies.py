"""What the chart lets whom do, and what it shows, over a matrix of values."""

from __future__ import annotations

import re

import pytest

from tests.charts.matrix import MATRIX, containers_of, pods_of, selects
from tests.charts.rendering import (
    FULLNAME,
    NAME,
    NAMESPACE,
    Manifest,
    Release,
)

_ROLE_OF_FLOW_RUNS = "flow-run"
_READERS_OF_THE_LAKE = {"windows", "signals", "api"}
_WITHOUT_ROLES_AND_POLICIES = "everything off"
_with_roles_and_policies = pytest.mark.parametrize(
    "release", [values for values in MATRIX if values != _WITHOUT_ROLES_AND_POLICIES], indirect=True
)


@pytest.mark.parametrize("release", [_WITHOUT_ROLES_AND_POLICIES], indirect=True)
def test_roles_and_network_policies_can_be_left_to_somebody_else(release: Release) -> None:
    assert [release.all(kind) for kind in ("Role", "RoleBinding", "NetworkPolicy")] == [[], [], []]


def test_pods_pass_the_restricted_pod_security_standard(release: Release) -> None:
    allowed_volumes = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
    for component, pod in pods_of(release):
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), component
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"].get("runAsUser") != 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= allowed_volumes, component
    for name, container in containers_of(release):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert not {"privileged", "runAsUser", "procMount", "seLinuxOptions"} & set(security)
        assert not any("hostPort" in port for port in container.get("ports", []))


@_with_roles_and_policies
def test_every_pod_is_covered_by_exactly_one_network_policy(release: Release) -> None:
    policies = [
        policy["spec"]["podSelector"]["matchLabels"] for policy in release.all("NetworkPolicy")
    ]
    for component, pod in pods_of(release):
        assert sum(selects(policy, pod) for policy in policies) == 1, component
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
        "store": {"flow-run", "prepare-storage", "test", "console", *_READERS_OF_THE_LAKE}
        & {"flow-run", "prepare-storage", "test", "console", *release.workloads()},
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


def test_only_the_worker_and_the_last_hook_talk_to_the_kubernetes_api(release: Release) -> None:
    tokens = {component for component, pod in pods_of(release)
              if pod["spec"]["automountServiceAccountToken"]}  # fmt: skip
    assert tokens == {"worker", "remove-jobs"} & set(release.workloads())
    for account in release.all("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    manifest = release.job_template()["job_configuration"]["job_manifest"]
    assert manifest["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


@_with_roles_and_policies
def test_rights_are_exactly_what_worker_and_last_hook_ask_for(release: Release) -> None:
    assert not release.all("ClusterRole")
    assert not release.all("ClusterRoleBinding")
    assert {role["metadata"]["name"]: _rights(role) for role in release.all("Role")} == {
        f"{FULLNAME}-worker": {
            *(("batch", "jobs", verb) for verb in ("create", "get", "list", "watch", "delete")),
            ("", "pods", "list"),
            ("", "pods", "watch"),
            ("", "pods/log", "get"),
        },
        f"{FULLNAME}-remove-jobs": {("batch", "jobs", "list"), ("batch", "jobs", "delete")},
    }
    for binding in release.all("RoleBinding"):
        assert binding["roleRef"]["name"] == binding["metadata"]["name"]
        (subject,) = binding["subjects"]
        assert (subject["name"], subject["namespace"]) == (binding["metadata"]["name"], NAMESPACE)
    namespaces = "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES"
    assert release.variables("worker")[namespaces] == NAMESPACE


def _rights(role: Manifest) -> set[tuple[str, str, str]]:
    """API group, resource and verb of everything that a Role allows."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


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
    for name, container in containers_of(release):
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
