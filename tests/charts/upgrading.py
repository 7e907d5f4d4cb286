"""The chart as Helm renders it for an upgrade, over objects that the cluster has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import helm_python
import kmock
import yaml

from tests.charts.rendering import (
    NAME,
    NAMESPACE,
    Manifest,
    Release,
    chart,
    merged,
    parsed,
)

_RESOURCES = {
    "StatefulSet": "apps/v1/statefulsets",
    "PersistentVolumeClaim": "v1/persistentvolumeclaims",
    "Secret": "v1/secrets",
}
"""Kind of object -> group, version and name of the resource, of what the chart looks up."""

_OWNER = {"meta.helm.sh/release-name": NAME, "meta.helm.sh/release-namespace": NAMESPACE}


def live(manifest: Manifest, *, owner: str = NAME, ready: bool = True) -> Manifest:
    """The object that the API has once Helm has applied a manifest.

    Args:
        manifest: As the chart renders it.
        owner: The release that has applied it.
        ready: Whether all its pods run as it says.
    """
    there = deepcopy(manifest)
    annotations = there["metadata"].setdefault("annotations", {})
    annotations.update({**_OWNER, "meta.helm.sh/release-name": owner})
    if there["kind"] == "StatefulSet":
        status: Manifest = {"currentRevision": "1", "updateRevision": "1", "readyReplicas": 1}
        if not ready:
            status = {"currentRevision": "1", "updateRevision": "2"}
        there["status"] = status
    return there


def upgrade(there: Sequence[Manifest], *values: Mapping[str, Any]) -> Release:
    """What an upgrade with these values makes of a cluster that has these objects."""
    return asyncio.run(_upgrade(there, merged(*values)))


async def _upgrade(there: Sequence[Manifest], values: Mapping[str, Any]) -> Release:
    handler = kmock.KubernetesEmulator()
    for kind, resource in _RESOURCES.items():
        handler.resources[resource] = _readable(kind)
    for manifest in there:
        key = (_RESOURCES[manifest["kind"]], NAMESPACE, manifest["metadata"]["name"])
        handler.objects[key] = manifest
    async with handler, kmock.Server(handler) as server:
        kubeconfig = _kubeconfig(str(server.url).rstrip("/"))
        return parsed(await asyncio.to_thread(_render, kubeconfig, dict(values)))


def _render(kubeconfig: str, values: dict[str, Any]) -> dict[str, str]:
    with helm_python.Config(namespace=NAMESPACE, kubeconfig_content=kubeconfig) as config:
        files: dict[str, str] = config.render(
            chart(), values, name=NAME, namespace=NAMESPACE, is_upgrade=True
        )
        return files


def _readable(kind: str) -> kmock.ResourceDict:
    return {
        "kind": kind,
        "singular": kind.lower(),
        "namespaced": True,
        "verbs": {"get", "list"},
        "shortnames": (),
        "categories": (),
        "subresources": (),
    }


def _kubeconfig(url: str) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "stand-in", "cluster": {"server": url}}],
        "users": [{"name": "helm", "user": {"token": "of-helm"}}],
        "contexts": [{"name": "it", "context": {"cluster": "stand-in", "user": "helm"}}],
        "current-context": "it",
    }
    return yaml.safe_dump(config)
