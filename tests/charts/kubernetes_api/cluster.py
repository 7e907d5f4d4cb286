"""The stand-in in a thread of its own, for tests and for processes that reach it over HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypeVar

import kmock
import yaml

from tests.charts.kubernetes_api.containers import Containers
from tests.charts.kubernetes_api.node import Fault, Node, Pod
from tests.charts.kubernetes_api.objects import Manifest, Objects
from tests.charts.kubernetes_api.scheduler import Amounts
from tests.charts.kubernetes_api.server import Api

T = TypeVar("T")

TOKEN = "of-the-worker"  # noqa: S105 - of a server that holds nothing


class Cluster:
    """A cluster with one node and one image.

    Args:
        folder: For its files.
        namespace: Its namespace.
        rules: Of the worker's Role.
        image: The image there is.
        secrets: Secret name -> its keys.
        free: CPU and memory that its node has for Jobs; None: enough.
        capacity: Pods that run at once.
        configs: ConfigMap name -> its keys.
        services: Services whose pods run here.
        addresses: `host:port` of what runs elsewhere -> where that is.
    """

    def __init__(
        self,
        folder: Path,
        *,
        namespace: str,
        rules: Sequence[Mapping[str, Sequence[str]]],
        image: str,
        secrets: Mapping[str, Mapping[str, str]],
        free: Amounts | None = None,
        capacity: int = 6,
        configs: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
        services: Sequence[Manifest] = (),
        addresses: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.folder = folder
        self._parts = {"namespace": namespace, "rules": rules}
        containers = Containers(image, secrets, configs, services, addresses)
        self._node = {"containers": containers, "free": free, "capacity": capacity}
        self._errors: list[str] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(60):
            raise TimeoutError
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    @property
    def kubeconfig(self) -> Path:
        """A file with which clients find it."""
        return self.folder / "kubeconfig"

    def jobs(self) -> list[Manifest]:
        """The Jobs there are now."""
        return self._do(lambda: self._objects.list("jobs", lambda _: True))

    def history(self, kind: str) -> list[tuple[str, Manifest]]:
        """Event type and object of everything that has happened to objects of a kind."""
        return self._do(
            lambda: [(e["type"], e["object"]) for of, e in self._objects.history if of == kind]
        )

    def run_job(self, manifest: Manifest) -> None:
        """Create a Job, as Helm does with a hook."""

        def create() -> None:
            self._api.node.accept(self._objects.create("jobs", manifest))

        self._do(create)

    def run_pod(self, template: Manifest, name: str | None = None) -> str:
        """Create a pod; its name.

        Args:
            template: A pod, or the template of a Deployment's.
            name: What its name begins with, when it has none of its own.
        """
        of_it = {"generateName": f"{name}-", "namespace": self._parts["namespace"]}
        manifest = {**template, "metadata": {**of_it, **template["metadata"]}}
        return self._do(lambda: self._api.node.accept_pod(manifest))

    def delete_pod(self, name: str) -> None:
        """Ask a pod to end; it is gone when it has."""
        self._do(lambda: self._api.node.delete_pod(name))

    def delete_job(self, name: str) -> None:
        """Delete a Job, and its pod with it."""
        self._do(lambda: self._api.node.delete_job(name))

    def job(self, name: str) -> Manifest:
        """The Job of that name."""
        return next(job for job in self.jobs() if job["metadata"]["name"] == name)

    def pod(self, name: str) -> Manifest | None:
        """The pod of that name; None when it is gone."""
        return self._do(lambda: self._objects.get("pods", name))

    def running(self, name: str) -> Pod:
        """How a pod that is under way runs."""
        return self._do(lambda: self._api.node.pods[name])

    def environments(self) -> dict[str, dict[str, str]]:
        """The variables of each pod that was ever started, by its name."""
        return self._do(lambda: dict(self._api.node.environments))

    def fault(self, flow_run: str, kind: str) -> None:
        """Let the next pod of a flow run have a misfortune."""
        self._do(lambda: self._api.node.faults.append(Fault(flow_run, kind)))

    def release(self) -> None:
        """Let what is held go on, and what is unschedulable start."""
        self._do(self._api.node.grown.set)
        for mark in self.folder.glob("*/held"):
            mark.with_name("released").touch()

    def asked(self) -> set[tuple[str, str]]:
        """Resource and verb of everything that was asked for."""
        return self._do(lambda: set(self._api.asked))

    def surprises(self) -> list[str]:
        """What was asked that is not known, or went wrong."""
        return self._do(self._surprises)

    def log(self, pod: str) -> str:
        """What a pod has printed; nothing before its container has begun."""
        file = self._api.node.log(pod)
        return file.read_text() if file.exists() else ""

    def logs(self, job: str) -> str:
        """What the pods of a Job have printed."""
        return "\n".join(path.read_text() for path in self.folder.glob(f"{job}-*.log"))

    def _surprises(self) -> list[str]:
        # Of a plain KubernetesError the API itself has noted what is a surprise.
        of_kmock = [
            repr(error)
            for error in self._handler.errors
            if type(error) is not kmock.KubernetesError
        ]
        return [*self._api.surprises, *of_kmock, *self._errors]

    def _do(self, function: Callable[[], T]) -> T:
        async def call() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(30)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._note)
        self._closing = asyncio.Event()
        self._objects = Objects()
        parts: dict[str, Any] = self._parts
        node: dict[str, Any] = self._node
        self._api = Api(
            self._objects, Node(self._objects, self.folder, **node), token=TOKEN, **parts
        )
        self._handler = self._api.handler()
        async with self._handler, kmock.Server(self._handler) as server:
            self.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(str(server.url).rstrip("/"))))
            self._ready.set()
            await self._closing.wait()
            await self._api.node.close()

    def _note(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        self._errors.append(repr(context.get("exception") or context["message"]))


def _kubeconfig(url: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "stand-in", "cluster": {"server": url}}],
        "users": [{"name": "worker", "user": {"token": TOKEN}}],
        "contexts": [{"name": "it", "context": {"cluster": "stand-in", "user": "worker"}}],
        "current-context": "it",
    }
