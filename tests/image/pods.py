"""Runs the containers of the rendered chart in the image, as the pods of one node.

All share one network, in which the names of the release's Services lead to the node itself, so
that addresses, ports, commands and environment are those of the manifests.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.charts.rendering import Manifest, Release
from tests.image.build import Root
from tests.image.container import LOOPBACK_UP, Container, Surroundings, run, running

_CLONE_NEWNET = 0x40000000
_ANSWER_SECONDS = 60


@contextlib.contextmanager
def network() -> Iterator[int]:
    """A network for several containers, as the id of a process that is in it."""
    command = [sys.executable, "-c", f"{LOOPBACK_UP}; print('up', flush=True); input()"]
    with subprocess.Popen(
        ["unshare", "--net", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "up\n"
            yield holder.pid
        finally:
            holder.kill()


@dataclass(frozen=True, slots=True)
class Node:
    """Where the pods of a release run.

    Attributes:
        image: The image of all of them.
        release: What the chart makes.
        network: A process of their network.
        folder: For volumes, mounted files and logs.
    """

    image: Root
    release: Release
    network: int
    folder: Path

    def start(self, component: str) -> contextlib.AbstractContextManager[Container]:
        """A component's container, running."""
        container = self.release.container(component)
        environment = self.environment(container)
        return running(
            self.image,
            _expanded(container["args"], environment),
            self.folder / f"{component}.log",
            env=environment,
            surroundings=self._surroundings(component, container),
        )

    def run(
        self, component: str, command: Sequence[str] = (), *, name: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A component's container, to its end.

        Args:
            component: The component.
            command: What to run there; empty: what the manifest says.
            name: Of the container that runs before the component's own, if that is meant.
        """
        container = self._container(component, name)
        environment = self.environment(container)
        said = [*container.get("command", []), *container.get("args", [])]
        return run(
            self.image,
            command or _expanded(said, environment),
            self._surroundings(component, container),
            **environment,
        )

    def run_job(
        self, container: Manifest, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """The container of a flow run's Job, to its end.

        Args:
            container: As in the Job.
            environment: What its `env` comes to.
        """
        sources = self.environment({"envFrom": container["envFrom"]})
        around = Surroundings(files=self._hosts(), network=self.network)
        start = f"cd {container['workingDir']} && exec {shlex.join(container['args'])}"
        return run(self.image, ["sh", "-c", start], around, **sources, **environment)

    def ask(self, path: str, port: int, authorization: str = "") -> tuple[int, bytes]:
        """Status and body that a server of the node answers; status 0 while none listens."""
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
        if authorization:
            request.add_header("Authorization", authorization)
        with ThreadPoolExecutor(1, initializer=_enter, initargs=(self.network,)) as thread:
            return thread.submit(_answer, request).result()

    def environment(self, container: Manifest) -> dict[str, str]:
        """What `envFrom` and `env` of a container come to."""
        environment: dict[str, str] = {}
        for source in container.get("envFrom", []):
            for reference in source.values():
                environment |= self._data(reference["name"])
        for variable in container.get("env", []):
            environment[variable["name"]] = self._value(variable)
        return environment

    def _value(self, variable: Manifest) -> str:
        source = variable.get("valueFrom", {})
        if reference := source.get("secretKeyRef"):
            return self._data(reference["name"])[reference["key"]]
        value = source.get("fieldRef", {}).get("fieldPath") or variable["value"]
        assert isinstance(value, str)
        return value

    def _data(self, name: str) -> dict[str, str]:
        """The keys of a Secret or ConfigMap of the release."""
        (found,) = (
            one
            for kind in ("Secret", "ConfigMap")
            for one in self.release.all(kind)
            if one["metadata"]["name"] == name
        )
        data: dict[str, str] = found.get("stringData") or found["data"]
        return data

    def _container(self, component: str, name: str | None) -> Manifest:
        if name is None:
            return self.release.container(component)
        before = self.release.pod(component)["spec"]["initContainers"]
        (container,) = (one for one in before if one["name"] == name)
        assert isinstance(container, dict)
        return container

    def _surroundings(self, component: str, container: Manifest) -> Surroundings:
        volumes = {
            volume["name"]: volume for volume in self.release.pod(component)["spec"]["volumes"]
        }
        data, files = None, self._hosts()
        for mount in container["volumeMounts"]:
            if mount["mountPath"] == "/data":
                data = self.folder / f"{component}-data"
                data.mkdir(exist_ok=True)
            elif source := volumes[mount["name"]].get("configMap"):
                files[mount["mountPath"]] = self._written(source["name"])
        return Surroundings(data, files, self.network)

    def _written(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for key, text in self._data(name).items():
            (folder / key).write_text(text)
        return folder

    def _hosts(self) -> dict[str, Path]:
        """The file that leads the names of Services to this node."""
        names = [service["metadata"]["name"] for service in self.release.all("Service")]
        file = self.folder / "hosts"
        file.write_text(f"127.0.0.1 localhost {' '.join(names)}\n")
        return {"/etc/hosts": file}


def _expanded(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The arguments, with `$(NAME)` replaced as the kubelet does."""

    def value(match: re.Match[str]) -> str:
        return environment.get(match[1], match[0])

    return [re.sub(r"\$\((\w+)\)", value, text) for text in arguments]


def _enter(process: int) -> None:
    """Move this thread to the network of a process; what it connects to is there then."""
    libc = ctypes.CDLL(None, use_errno=True)
    file = os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
    try:
        assert libc.setns(file, _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(file)


def _answer(request: urllib.request.Request) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_ANSWER_SECONDS) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""
