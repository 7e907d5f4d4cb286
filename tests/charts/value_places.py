"""Places in a release in which a value of the chart shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.charts.rendering import Manifest, Release, Values


@dataclass(frozen=True, slots=True)
class Row:
    """What one value changes.

    Attributes:
        path: The value's dotted path.
        value: What it is set to.
        shows: What of the release it shows in.
        expected: What is there then, and is not there without it.
        context: Values that must be set for it to matter.
    """

    path: str
    value: Any
    shows: Callable[[Release], Any]
    expected: Any
    context: Values = field(default_factory=dict)


def metadata(key: str) -> Callable[[Release], Any]:
    """A label or annotation `owner` of all resources and pods."""

    def owners(release: Release) -> set[Any]:
        pods = [release.pod(component) for component in release.workloads()]
        return {one["metadata"].get(key, {}).get("owner") for one in [*release.manifests, *pods]}

    return owners


def images(release: Release) -> set[str]:
    containers = {release.container(component)["image"] for component in release.workloads()}
    return {*containers, release.job_default("image")}


def pull_policies(release: Release) -> set[str]:
    of_jobs = release.job_default("image_pull_policy")
    return {release.container(one)["imagePullPolicy"] for one in release.workloads()} | {of_jobs}


def pull_secrets(release: Release) -> list[Any]:
    pods = [release.pod(one)["spec"].get("imagePullSecrets", []) for one in release.workloads()]
    different = [*pods, release.job_default("image_pull_secrets")]
    return different[0] if all(one == different[0] for one in different) else different


def secret_of(component: str, variable: str, part: str) -> Callable[[Release], Any]:
    return lambda release: release.variables(component).get(variable, {})["secretKeyRef"][part]


def variable(component: str, name: str) -> Callable[[Release], Any]:
    return lambda release: release.variables(component).get(name)


def argument(component: str, name: str) -> Callable[[Release], Any]:
    return lambda release: release.arguments(component).get(name)


def setting(name: str) -> Callable[[Release], Any]:
    return lambda release: release.settings().get(name)


def job(variable: str) -> Callable[[Release], Any]:
    return lambda release: release.job_default(variable)


def exists(kind: str, suffix: str) -> Callable[[Release], bool]:
    return lambda release: release.has(kind, suffix)


def spec(kind: str, suffix: str, *path: str) -> Callable[[Release], Any]:
    def found(release: Release) -> Any:
        value: Any = release.one(kind, suffix)["spec"]
        for key in path:
            value = value.get(key) if isinstance(value, dict) else value[int(key)]
        return value

    return found


def annotation(kind: str, suffix: str, name: str) -> Callable[[Release], Any]:
    return lambda release: release.one(kind, suffix)["metadata"].get("annotations", {}).get(name)


def label(kind: str, suffix: str, name: str) -> Callable[[Release], Any]:
    return lambda release: release.one(kind, suffix)["metadata"]["labels"].get(name)


def claim(component: str, *path: str) -> Callable[[Release], Any]:
    return spec("StatefulSet", component, "volumeClaimTemplates", "0", "spec", *path)


def ports(policy: str) -> Callable[[Release], set[int]]:
    """Where a policy lets its pods go."""

    def ports(release: Release) -> set[int]:
        rules = release.one("NetworkPolicy", policy)["spec"].get("egress", [])
        return {port["port"] for rule in rules for port in rule["ports"]}

    return ports


def has_port(policy: str, port: int) -> Callable[[Release], bool]:
    return lambda release: port in ports(policy)(release)


def lets_in(policy: str, peer: Manifest) -> Callable[[Release], bool]:
    return lambda release: peer in spec("NetworkPolicy", policy, "ingress", "0", "from")(release)


def account(role: str) -> Callable[[Release], str]:
    if role == "jobs":
        return job("service_account_name")
    return lambda release: str(release.pod(role)["spec"]["serviceAccountName"])


def store_source(release: Release) -> list[str]:
    return [
        one["secretRef"]["name"] for one in release.job_default("env_from") if "secretRef" in one
    ]


def amounts(cpu: str) -> Values:
    amount = {"cpu": cpu, "memory": "3Gi", "ephemeral-storage": "2Gi"}
    return {"requests": amount, "limits": amount}


def container_resources(component: str) -> Callable[[Release], Any]:
    return lambda release: release.container(component)["resources"]


def job_resources(release: Release) -> list[Any]:
    kinds = ("cpu", "memory", "ephemeral_storage")
    return [release.job_default(f"{kind}_{end}") for end in ("request", "limit") for kind in kinds]
