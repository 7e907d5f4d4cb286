"""The chart as the real Helm engine renders it, and ways to find one's way in the result."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

CHART = Path(__file__).parents[2] / "charts" / "trading-fanout"
NAME, NAMESPACE = "demo", "research"
FULLNAME = f"{NAME}-trading-fanout"

Manifest = dict[str, Any]
Values = dict[str, Any]

_WORKLOADS = ("Deployment", "StatefulSet", "Job", "Pod")


def merged(*values: Mapping[str, Any]) -> Values:
    """The values, later ones over earlier ones, maps key by key."""
    result: Values = {}
    for one in values:
        for key, value in one.items():
            both = isinstance(value, Mapping) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def nested(path: str, value: object) -> Values:
    """The values that set only what is at the dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


@dataclass(frozen=True, slots=True)
class Release:
    """What one set of values makes.

    Attributes:
        manifests: All resources, hooks included.
        notes: What Helm prints after an installation.
    """

    manifests: list[Manifest]
    notes: str

    def all(self, kind: str) -> list[Manifest]:
        """The resources of a kind."""
        return [manifest for manifest in self.manifests if manifest["kind"] == kind]

    def has(self, kind: str, suffix: str) -> bool:
        """Whether there is a resource of this kind and of this name after the release's prefix."""
        return any(named(manifest, suffix) for manifest in self.all(kind))

    def one(self, kind: str, suffix: str) -> Manifest:
        """The resource of this kind and of this name after the release's prefix."""
        (found,) = (manifest for manifest in self.all(kind) if named(manifest, suffix))
        return found

    def workloads(self) -> dict[str, Manifest]:
        """What makes pods, and the pod of `helm test`, by component."""
        return {
            manifest["metadata"]["labels"]["app.kubernetes.io/component"]: manifest
            for kind in _WORKLOADS
            for manifest in self.all(kind)
        }

    def pod(self, component: str) -> Manifest:
        """The pod template of a component, or the pod that it is."""
        workload = self.workloads()[component]
        template: Manifest = workload["spec"].get("template", workload)
        return template

    def container(self, component: str) -> Manifest:
        """The one container of a component."""
        (container,) = self.pod(component)["spec"]["containers"]
        assert isinstance(container, dict)
        return container

    def variables(self, component: str) -> dict[str, Any]:
        """The environment of a component: plain values, or where they come from."""
        return {
            variable["name"]: variable.get("value", variable.get("valueFrom"))
            for variable in self.container(component).get("env", [])
        }

    def arguments(self, component: str) -> dict[str, str | None]:
        """The arguments of a component: `--name=value` by name, others with None."""
        pairs = (argument.partition("=") for argument in self.container(component)["args"])
        return {name: value if equals else None for name, equals, value in pairs}

    def settings(self) -> dict[str, str]:
        """What flow runs read as environment variables."""
        data: dict[str, str] = self.one("ConfigMap", "settings")["data"]
        return data

    def job_template(self) -> Manifest:
        """The base job template of the work pool."""
        text = self.one("ConfigMap", "base-job-template")["data"]["base-job-template.json"]
        template: Manifest = json.loads(text)
        return template

    def job_default(self, variable: str) -> Any:
        """The default of a variable of the base job template."""
        return self.job_template()["variables"]["properties"][variable]["default"]


def named(manifest: Manifest, suffix: str) -> bool:
    """Whether the resource's name is the release's prefix and this suffix."""
    return bool(manifest["metadata"]["name"] == f"{FULLNAME}-{suffix}")


def render(*values: Mapping[str, Any], namespace: str = NAMESPACE, name: str = NAME) -> Release:
    """What Helm makes of the chart with these values over its own.

    Raises:
        HelmError: The values are refused.
    """
    return _rendered(json.dumps(merged(*values), sort_keys=True), namespace, name)


def containers(pod: Manifest) -> Iterator[Manifest]:
    """The containers of a pod template, those that run before it included."""
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"]["containers"]


@lru_cache(maxsize=1)
def chart() -> helm_python.Chart:
    """The chart, read once."""
    return helm_python.Chart.load(CHART)


@lru_cache(maxsize=256)
def _rendered(values: str, namespace: str, name: str) -> Release:
    return parsed(chart().render(json.loads(values), name=name, namespace=namespace))


def parsed(files: Mapping[str, str]) -> Release:
    """What the rendered files, by path, hold."""
    notes = [text for path, text in files.items() if path.endswith("NOTES.txt")]
    manifests = [
        manifest
        for path, text in files.items()
        if path.endswith(".yaml")
        for manifest in yaml.load_all(text, yaml.CSafeLoader)
        if manifest
    ]
    return Release(manifests, "\n".join(notes))
