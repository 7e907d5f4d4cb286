"""The examples and the runbook in `k8s/` speak of the chart as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts import given
from tests.charts.rendering import CHART, Release, Values, render

EXAMPLES = CHART.parents[1] / "k8s"
RUNBOOK = (EXAMPLES / "README.md").read_text()
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
VALUES_FILES = sorted(EXAMPLES.glob("values-*.yaml"))


def _values(name: str) -> dict[str, Any]:
    values = yaml.safe_load((EXAMPLES / f"values-{name}.yaml").read_text())
    assert isinstance(values, dict)
    return values


def _rendered(name: str, *more: Values) -> Release:
    """The release that the runbook speaks of."""
    return render(_values(name), *more, namespace="trading", name="trading-fanout")


@pytest.mark.parametrize("file", VALUES_FILES, ids=lambda file: file.stem)
def test_the_chart_takes_the_values_of_every_example(file: Path) -> None:
    release = _rendered(file.stem.removeprefix("values-"))
    assert "worker" in release.workloads()


def test_on_kind_everything_is_in_the_cluster_and_goes_with_the_release() -> None:
    release = _rendered("kind")
    assert {"server", "worker", "postgres", "store", "prepare-storage"} <= set(release.workloads())
    for workload in release.all("StatefulSet"):
        policy = workload["spec"]["persistentVolumeClaimRetentionPolicy"]
        assert policy["whenDeleted"] == "Delete"
    image = release.container("server")["image"]
    assert image in RUNBOOK
    assert "--sample-contracts" in release.arguments("prepare-storage")


def test_on_eks_data_are_reached_by_a_role_and_no_key() -> None:
    release = _rendered("eks")
    assert not {"postgres", "store"} & set(release.workloads())
    release = render(_values("eks"))
    account = release.one("ServiceAccount", "jobs")
    assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"]
    assert release.job_default("service_account_name") == account["metadata"]["name"]
    assert not [entry for entry in release.job_default("env_from") if "secretRef" in entry]


def test_on_eks_the_live_side_is_one_value_away() -> None:
    assert "executor" not in render(_values("eks")).workloads()
    on = render(_values("eks"), {"live": {"enabled": True, "api": {"enabled": True}}})
    assert {"stream", "executor", "api"} <= set(on.workloads())
    assert on.one("HorizontalPodAutoscaler", "api")["spec"]["minReplicas"] > 1
    named = set(re.findall(r"create secret generic (\S+)", RUNBOOK))
    used = {
        source["secretRef"]["name"]
        for component in on.workloads()
        for source in on.container(component).get("envFrom", [])
        if "secretRef" in source
    }
    assert {"trading-data-keys", "trading-broker-keys"} == used <= named


def test_with_prefect_cloud_no_server_is_installed() -> None:
    assert not {"server", "postgres"} & set(_rendered("prefect-cloud").workloads())


def test_kind_gets_one_cluster_of_the_name_that_the_runbook_uses() -> None:
    cluster = yaml.safe_load((EXAMPLES / "kind.yaml").read_text())
    assert (cluster["kind"], cluster["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    assert f"--name {cluster['name']}" in RUNBOOK
    assert [node["role"] for node in cluster["nodes"]] == ["control-plane"]


def test_the_runbook_names_values_that_exist() -> None:
    named = set(re.findall(r"`([a-zA-Z]+(?:\.[a-zA-Z]+)+)`", RUNBOOK))
    ours = {path for path in named if path.split(".")[0] in VALUES}
    assert len(ours) > 10
    assert [path for path in sorted(ours) if not _exists(path, VALUES)] == []


def _exists(path: str, values: Any) -> bool:
    for key in path.split("."):
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def test_the_runbook_names_resources_that_exist() -> None:
    release = _rendered("kind", given.LIVE_API)
    there = {
        (manifest["kind"].lower(), manifest["metadata"]["name"]) for manifest in release.manifests
    }
    named = set(
        re.findall(
            r"\b(deployment|statefulset|service|job|secret)[/ ](trading-fanout-[a-z-]+)", RUNBOOK
        )
    )
    assert len(named) >= 4
    assert named <= there
    pods = set(re.findall(r"\b(trading-fanout-[a-z-]+)-0\b", RUNBOOK))
    assert pods == {"trading-fanout-postgres"}
    pods = {name for kind, name in there if kind == "pod"}
    assert set(re.findall(r"kubectl logs (trading-fanout-[a-z-]+)`", RUNBOOK)) == pods


def test_the_runbooks_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", RUNBOOK)
    assert links
    assert [link for link in links if not (EXAMPLES / link).exists()] == []


def test_the_runbooks_label_selectors_select_flow_runs() -> None:
    template = render(_values("kind")).job_template()
    labels = template["job_configuration"]["job_manifest"]["metadata"]["labels"]
    assert labels["trading-fanout/component"] == "flow-run"
    assert "trading-fanout/component=flow-run" in RUNBOOK
    assert "trading-fanout/release" in labels


def test_the_runbooks_command_after_an_uninstallation_finds_what_helm_leaves() -> None:
    release = _rendered("kind")
    # Those that run; what gives them rights goes with the release or with the hook.
    left = [
        one
        for one in [*release.all("Job"), *release.all("Pod")]
        if "helm.sh/hook" in one["metadata"].get("annotations", {})
    ]
    (kinds, label) = _deleted_after_uninstalling(RUNBOOK)
    assert {one["kind"].lower() + "s" for one in left} == kinds
    name, _, value = label.partition("=")
    assert {one["metadata"]["labels"].get(name) for one in left} == {value}
    assert _deleted_after_uninstalling(release.notes) == (kinds, label)


def _deleted_after_uninstalling(text: str) -> tuple[set[str], str]:
    """Kinds and label of the command that deletes what is no volume."""
    ((kinds, label),) = re.findall(
        r"delete (jobs\S*) --selector (trading-fanout/release=\S+)", text
    )
    return set(kinds.split(",")), label
