"""The HTTP side: what the worker asks, whether its Role allows it, and what it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import kmock
import kubernetes_validate
from kubernetes_validate import ValidationError

from tests.charts.kubernetes_api.node import Node
from tests.charts.kubernetes_api.objects import PARTS, Manifest, Objects, selector

VERSION = "1.36"
GROUPS = {"jobs": "batch", "pods": ""}
VERBS = {"create", "delete", "get", "list", "watch"}
LIST_PARAMETERS = {"labelSelector", "limit"}
WATCH_PARAMETERS = {
    "watch", "labelSelector", "resourceVersion", "allowWatchBookmarks", "timeoutSeconds",
    "sendInitialEvents", "resourceVersionMatch",
}  # fmt: skip
DELETE_PARAMETERS = {"gracePeriodSeconds", "propagationPolicy"}
LOG_PARAMETERS = {"container", "tailLines", "previous"}
NOT_OF_A_POD = ("parallelism", "completions")
"""Keys that the worker wants in the pod's spec, where the real API drops them with a warning."""


@dataclass
class Api:
    """The part of a Kubernetes API that runs flows.

    Attributes:
        objects: The cluster's objects.
        node: Where Jobs run.
        namespace: The one namespace there is.
        rules: Of the Role that the caller has in it.
        token: The caller's.
        surprises: What was asked that is not known or not allowed.
    """

    objects: Objects
    node: Node
    namespace: str
    rules: Sequence[Mapping[str, Sequence[str]]]
    token: str
    surprises: list[str] = field(default_factory=list)
    asked: set[tuple[str, str]] = field(default_factory=set)

    def handler(self) -> kmock.KubernetesScaffold:
        """The handler for a server of kmock, which answers discovery and what is unknown."""
        handler = kmock.KubernetesScaffold()
        handler.resources["batch/v1/jobs"] = _resource("Job")
        handler.resources["v1/pods"] = _resource("Pod")
        # Every cluster has them, and the worker's observer does not begin before it has seen that.
        handler.resources["v1/namespaces"] = _resource("Namespace", namespaced=False)
        handler.fallback[kmock.action.LIST] << self._list
        handler.fallback[kmock.action.WATCH] << self._watch
        handler.fallback[kmock.action.FETCH] << self._fetch
        handler.fallback[kmock.action.CREATE] << self._create
        handler.fallback[kmock.action.DELETE] << self._delete
        return handler

    async def _list(self, request: kmock.Request) -> Manifest:
        kind = self._authorized(request, "list", LIST_PARAMETERS)
        found = self.objects.list(kind, selector(request.params.get("labelSelector", "")))
        version, name = PARTS[kind]
        meta = {"resourceVersion": self.objects.version}
        return {"apiVersion": version, "kind": f"{name}List", "metadata": meta, "items": found}

    async def _watch(self, request: kmock.Request) -> AsyncIterator[Any]:
        kind = self._authorized(request, "watch", WATCH_PARAMETERS)
        matches = selector(request.params.get("labelSelector", ""))
        since = request.params.get("resourceVersion")
        yield b""  # the headers, before anything has happened
        if since is None:
            since = self.objects.version
            for manifest in self.objects.list(kind, matches):
                yield {"type": "ADDED", "object": manifest}
            if request.params.get("sendInitialEvents") == "true":
                notes = {"k8s.io/initial-events-end": "true"}
                meta = {"resourceVersion": since, "annotations": notes}
                version, name = PARTS[kind]
                bookmark = {"apiVersion": version, "kind": name, "metadata": meta}
                yield {"type": "BOOKMARK", "object": bookmark}
        async for event in self.objects.watch(kind, matches, int(since)):
            yield event

    async def _fetch(self, request: kmock.Request) -> Manifest | bytes:
        if request.subresource == "log":
            self._authorized(request, "get", LOG_PARAMETERS)
            log = self.node.log(str(request.name))
            if request.params.get("previous") == "True" or not log.exists():
                raise kmock.KubernetesError(status=400, reason="BadRequest", message="no such log")
            return log.read_bytes()
        kind = self._authorized(request, "get", set())
        return self._existing(kind, request)

    async def _create(self, request: kmock.Request) -> Manifest:
        kind = self._authorized(request, "create", set())
        if kind != "jobs":
            raise self._surprise(request, 405, f"{kind} are not made by the worker")
        self._validate(request)
        job = self.objects.create(kind, request.data)
        self.node.accept(job)
        return job

    async def _delete(self, request: kmock.Request) -> Manifest:
        kind = self._authorized(request, "delete", DELETE_PARAMETERS)
        if request.params.get("propagationPolicy") not in {"Foreground", "Background"}:
            raise self._surprise(request, 400, "would leave pods behind")
        job = self._existing(kind, request)
        self.node.delete_job(str(request.name))
        return job

    def _existing(self, kind: str, request: kmock.Request) -> Manifest:
        found = self.objects.get(kind, str(request.name))
        if found is None:
            message = f'{kind} "{request.name}" not found'
            raise kmock.KubernetesError(status=404, reason="NotFound", message=message)
        return found

    def _authorized(self, request: kmock.Request, verb: str, parameters: set[str]) -> str:
        """The kind of objects asked for, when the caller may, in a way that is known."""
        kind = request.resource.plural if request.resource else None
        if kind not in PARTS or request.subresource not in {None, "log"}:
            raise self._surprise(request, 404, "unknown resource")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise self._surprise(request, 401, "without the worker's token")
        resource = f"{kind}/{request.subresource}" if request.subresource else kind
        self.asked.add((resource, verb))
        allowed = any(
            GROUPS[kind] in rule["apiGroups"]
            and resource in rule["resources"]
            and verb in rule["verbs"]
            for rule in self.rules
        )
        # A Role, unlike a ClusterRole, lets nobody ask for all namespaces.
        if not allowed or request.namespace != self.namespace:
            raise self._surprise(request, 403, f"{verb} {resource} in {request.namespace}")
        if unknown := set(request.params) - parameters:
            raise self._surprise(request, 400, f"unknown parameters {sorted(unknown)}")
        return str(kind)

    def _validate(self, request: kmock.Request) -> None:
        """Hold a Job to the API's schema, and to what the API server checks beside it."""
        spec = request.data["spec"]["template"]["spec"]
        pod = {key: value for key, value in spec.items() if key not in NOT_OF_A_POD}
        template = {**request.data["spec"]["template"], "spec": pod}
        job = {**request.data, "spec": {**request.data["spec"], "template": template}}
        try:
            kubernetes_validate.validate(job, VERSION, strict=True)
        except ValidationError as error:
            raise self._surprise(request, 422, str(error)) from None
        if job["metadata"].get("namespace") != request.namespace:
            raise self._surprise(request, 400, "another namespace than the request's")

    def _surprise(self, request: kmock.Request, status: int, what: str) -> kmock.KubernetesError:
        self.surprises.append(f"{request.method.value} {request.url}: {what}")
        return kmock.KubernetesError(status=status, reason="Surprise", message=what)


def _resource(kind: str, *, namespaced: bool = True) -> kmock.ResourceDict:
    """What discovery says of a kind."""
    return {
        "kind": kind,
        "singular": kind.lower(),
        "namespaced": namespaced,
        "verbs": VERBS,
        "shortnames": (),
        "categories": (),
        "subresources": (),
    }
