"""The console gets what flow runs get, so that every command runs in it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts import given
from tests.charts.rendering import Manifest, Release, Values, merged, render

JOBS: Values = {
    "jobs": {
        "env": {"AWS_CA_BUNDLE": "/ca/ca.pem"},
        "extraEnvFrom": [{"secretRef": {"name": "proxy"}}],
        "extraVolumes": [{"name": "ca", "secret": {"secretName": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    }
}
ANYWHERE: dict[str, Values] = {
    "": {},
    "sample data": given.SAMPLE,
    "store of their own": given.OWN_STORE,
    "api of their own": given.OWN_API,
    "with settings for jobs": JOBS,
}


def egress(release: Release, policy: str) -> Any:
    return release.one("NetworkPolicy", policy)["spec"]["egress"]


def admits(release: Release, policy: str, pod: Manifest) -> bool:
    """Whether a policy lets a pod in."""
    peers = [
        peer["podSelector"]["matchLabels"]
        for rule in release.one("NetworkPolicy", policy)["spec"]["ingress"]
        for peer in rule["from"]
        if "podSelector" in peer
    ]
    return any(peer.items() <= pod["metadata"]["labels"].items() for peer in peers)


@pytest.mark.parametrize("values", ANYWHERE.values(), ids=ANYWHERE)
def test_it_has_the_settings_the_keys_and_the_ways_of_a_flow_run(values: Values) -> None:
    release = render(values)
    pod, container = release.pod("console"), release.container("console")
    assert container["envFrom"] == release.job_default("env_from")
    variables = release.variables("console")
    assert variables.items() >= release.job_default("env").items()
    for name in ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"):
        assert variables.get(name) == release.variables("worker").get(name)
    assert pod["spec"]["serviceAccountName"] == release.job_default("service_account_name")
    assert pod["spec"]["volumes"][1:] == release.job_default("volumes")[1:]
    assert container["volumeMounts"] == release.job_default("volume_mounts")
    assert egress(release, "console") == egress(release, "flow-run")
    for component in ("server", "store"):
        if release.has("NetworkPolicy", component):
            assert admits(release, component, pod), component


def test_what_the_commands_write_goes_where_the_pod_can_be_written() -> None:
    written = render().variables("console")["TRADING_SERVER_DIR"]
    assert written.startswith("/tmp/")  # noqa: S108 - the pod's own


@pytest.mark.parametrize(
    ("values", "pod"), [({}, "console"), ({"console": {"enabled": False}}, "worker")]
)
def test_the_notes_name_a_pod_that_is_there(values: Values, pod: str) -> None:
    for more in ({}, given.OWN_API):
        release = render(merged(values, more))
        assert f"exec deployment/demo-trading-fanout-{pod} -- " in release.notes
        assert release.has("Deployment", pod)
