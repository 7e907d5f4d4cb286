"""The values over which the chart's manifests are checked, and what to look at in them."""

from __future__ import annotations

from collections.abc import Iterator

from tests.charts import given
from tests.charts.rendering import Manifest, Release, containers, merged, nested

MATRIX = {
    "defaults": {},
    "replicated": given.REPLICATED,
    "replicated external": merged(given.REPLICATED, given.EXTERNAL_DATABASE, given.OWN_STORE),
    "sqlite": given.SQLITE,
    "own api": given.OWN_API,
    "own api and store": merged(given.OWN_API, given.OWN_STORE),
    "own api with a password": {
        "prefect": {
            "apiUrl": "http://prefect.tools:4200/api",
            "auth": {"existingSecret": "password", "key": "login"},
        }
    },
    "everything on": merged(given.INGRESS, given.MONITORED, given.SAMPLE, given.REPLICATED),
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
    "live": merged(given.SCRAPED, given.LIVE_INGRESS, given.NOTIFIED, given.AUTOSCALED),
    "live with a broker": merged(given.BROKER, given.LIVE_API, given.OWN_API, given.OWN_STORE),
    "digest": {
        "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": [{"name": "registry"}]},
    },
}


def pods_of(release: Release) -> Iterator[tuple[str, Manifest]]:
    """Component -> its pod template, of everything that runs."""
    for component in release.workloads():
        yield component, release.pod(component)


def containers_of(release: Release) -> Iterator[tuple[str, Manifest]]:
    """`component/container` and the container, init containers among them."""
    for component, pod in pods_of(release):
        for container in containers(pod):
            yield f"{component}/{container['name']}", container


def selects(selector: dict[str, str], pod: Manifest) -> bool:
    labels: dict[str, str] = pod["metadata"]["labels"]
    return selector.items() <= labels.items()
