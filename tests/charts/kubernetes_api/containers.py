"""What a container gets of the cluster, with the places of this machine.

Its command and its variables are those of the manifest. All pods share this machine's address and
files, so three things are other ones: the ports that a container listens on, the names of services,
and what is below `/tmp`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from servers.prefect import available_port
from tests.charts.kubernetes_api.objects import Manifest

LOOPBACK = "127.0.0.1"
TMP = "/tmp/"  # noqa: S108 - of a pod: a volume of its own


class NotStartableError(Exception):
    """A container that waits for something that is not there.

    Args:
        reason: The reason of its waiting state.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class RunningPod(Protocol):
    """What is asked of a pod."""

    @property
    def spec(self) -> Manifest: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def ports(self) -> dict[int, int]: ...


@dataclass(frozen=True)
class Containers:
    """The image, and what pods are told by reference.

    Attributes:
        image: The one image there is.
        secrets: Secret name -> its keys.
        configs: ConfigMap name -> its keys.
        services: Services whose pods run here.
        addresses: `host:port` of what runs elsewhere -> where that is.
    """

    image: str
    secrets: Mapping[str, Mapping[str, str]]
    configs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    services: Sequence[Manifest] = ()
    addresses: Mapping[str, str] = field(default_factory=dict)

    def environment(
        self, pod: RunningPod, others: Iterable[RunningPod], home: Path
    ) -> dict[str, str]:
        """The variables of a pod's one container; it has its ports then.

        Args:
            pod: The pod.
            others: Those that run, where services lead to.
            home: Where its files are.

        Raises:
            NotStartableError: A kubelet would wait for something.
        """
        (container,) = pod.spec["containers"]
        if container["image"] != self.image:
            raise NotStartableError(
                "ImagePullBackOff", f'Back-off pulling image "{container["image"]}"'
            )
        for port in container.get("ports", []):
            pod.ports.setdefault(port["containerPort"], available_port(0))
        said: dict[str, str] = {}
        for source in container.get("envFrom", []):
            said |= self._source(source)
        for variable in container.get("env", []):
            said[variable["name"]] = self._value(variable)
        there = self._places(pod, others) | {TMP: f"{home}/"}
        return {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
            "HOME": str(home),
            "TMPDIR": str(home),
            "PYTHONUNBUFFERED": "1",
            **{name: _here(value, pod, there) for name, value in said.items()},
        }

    def command(self, pod: RunningPod, others: Iterable[RunningPod]) -> list[str]:
        """The command of a pod's one container, which the image has no other for."""
        (container,) = pod.spec["containers"]
        there = self._places(pod, others)
        words: list[str] = [*container.get("command", []), *container.get("args", [])]
        return [_here(word, pod, there) for word in words]

    def _source(self, source: Manifest) -> Mapping[str, str]:
        if "configMapRef" in source:
            return _named(self.configs, "configmap", source["configMapRef"]["name"])
        return _named(self.secrets, "secret", source["secretRef"]["name"])

    def _value(self, variable: Manifest) -> str:
        if reference := variable.get("valueFrom"):
            of = reference["secretKeyRef"]
            return _named(self.secrets, "secret", of["name"])[of["key"]]
        return str(variable["value"])

    def _places(self, pod: RunningPod, others: Iterable[RunningPod]) -> dict[str, str]:
        """Addresses as pods are told them -> those on this machine."""
        places = dict(self.addresses)
        pods = [*others, pod]
        for service in self.services:
            for port in service["spec"]["ports"]:
                for one in pods:
                    if service["spec"]["selector"].items() <= one.labels.items():
                        target = one.ports[_number(port["targetPort"], one)]
                        name = f"{service['metadata']['name']}:{port['port']}"
                        places[name] = f"{LOOPBACK}:{target}"
        return places


def _number(port: str | int, pod: RunningPod) -> int:
    (container,) = pod.spec["containers"]
    named = {one["name"]: one["containerPort"] for one in container["ports"]}
    return int(named.get(port, port))


def _named(there: Mapping[str, Mapping[str, str]], kind: str, name: str) -> Mapping[str, str]:
    if name not in there:
        raise NotStartableError("CreateContainerConfigError", f'{kind} "{name}" not found')
    return there[name]


def _here(text: str, pod: RunningPod, places: Mapping[str, str]) -> str:
    """A value or an argument with what is elsewhere on this machine."""
    for port, own in pod.ports.items():
        if text == str(port) or text.endswith(f"={port}"):
            return f"{text.removesuffix(str(port))}{own}"
    for place, here in places.items():
        if place.startswith("/"):
            text = here + text.removeprefix(place) if text.startswith(place) else text
        else:
            text = text.replace(place, here)
    return text
