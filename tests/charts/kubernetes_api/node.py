"""The Job controller and one node's kubelet: each Job gets one pod, each pod is a process.

Pods of no Job are run, too: once, or again and again, as their restart policy has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.charts.kubernetes_api.containers import Containers, NotStartableError
from tests.charts.kubernetes_api.objects import Manifest, Objects, now
from tests.charts.kubernetes_api.scheduler import Amounts, Scheduler

FAULT_FOLDER = Path(__file__).parent / "fault"
KILLED = 137
RESTART_SECONDS = 1.0
"""Before a container that has ended is started again; a kubelet takes ever longer."""


@dataclass(slots=True)
class Fault:
    """A misfortune of the next pod whose flow run has this name.

    Attributes:
        flow_run: The run's name, as its label has it.
        kind: See `fault/sitecustomize.py`; `evicted` is `held`, and evicted meanwhile; of one that
            is `unschedulable` no container starts before the cluster has `grown`.
    """

    flow_run: str
    kind: str


@dataclass(eq=False)
class Pod:
    """A pod under way, and why it has to stop, once it has.

    Attributes:
        restarts: How often its container was started again.
        ports: Port of its container -> where that is on this machine.
    """

    name: str
    job: str
    spec: Manifest
    labels: Mapping[str, str]
    fault: Fault | None
    stop: asyncio.Future[str]
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    ports: dict[int, int] = field(default_factory=dict)


@dataclass
class Node:
    """Runs pods: starts their containers' commands as processes, and says how they ended.

    Attributes:
        objects: The cluster's objects.
        folder: For the pods' own files and logs.
        containers: What a container gets of the cluster.
        faults: Misfortunes to come.
        environments: Pod name -> what its container was last started with.
        free: CPU and memory that there are for Jobs; None: enough. Pods for which there is no room
            wait as Pending.
        capacity: Pods that run at once, however little they ask for.
        grown: Set when there is room for what was unschedulable.
    """

    objects: Objects
    folder: Path
    containers: Containers
    free: Amounts | None = None
    capacity: int = 6
    faults: list[Fault] = field(default_factory=list)
    pods: dict[str, Pod] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._scheduler = Scheduler(self.capacity, self.free)

    def accept(self, job: Manifest) -> None:
        """Run a Job that was just created."""
        self._start(self._run_job(job))

    def accept_pod(self, manifest: Manifest) -> str:
        """Run a pod that is of no Job; its name."""
        pod = self.objects.create("pods", {**manifest, "status": {"phase": "Pending"}})
        self._start(self._run_alone(self._pod(pod, job="")))
        return str(pod["metadata"]["name"])

    def delete_pod(self, name: str) -> None:
        """End a pod that is of no Job, as it asks to be ended."""
        _stop(self.pods[name], "deleted")

    def delete_job(self, name: str) -> None:
        """As with the propagation policies Foreground and Background: its pod ends first."""
        self.objects.update("jobs", name, metadata={"deletionTimestamp": now()})
        if pod := self.pods.get(name):
            _stop(pod, "deleted")
        else:
            self._remove(name)

    def log(self, pod: str) -> Path:
        return self.folder / f"{pod}.log"

    async def close(self) -> None:
        """Kill what runs."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def _start(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the stand-in broke", "exception": error}
            )

    async def _run_job(self, job: Manifest) -> None:
        name, spec = job["metadata"]["name"], job["spec"]
        template = spec["template"]
        labels = {**template["metadata"]["labels"], "job-name": name}
        pod = self.objects.create(
            "pods",
            {
                "metadata": {
                    "generateName": f"{name}-",
                    "namespace": job["metadata"]["namespace"],
                    "labels": {**labels, "batch.kubernetes.io/job-name": name},
                },
                "spec": template["spec"],
                "status": {"phase": "Pending"},
            },
        )
        running = self._pod(pod, job=name)
        self.objects.update("jobs", name, status={"active": 1, "startTime": now()})
        deadline = spec.get("activeDeadlineSeconds")
        timer = None
        if deadline is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(deadline, _stop, running, "deadline")
        try:
            code = await self._run_pod(running)
        finally:
            del self.pods[name]
            if timer:
                timer.cancel()
        self._finish(running, code, spec)

    def _pod(self, manifest: Manifest, job: str) -> Pod:
        """A pod under way, known by its Job's name or else by its own."""
        name, labels = manifest["metadata"]["name"], manifest["metadata"]["labels"]
        pod = Pod(
            name=name,
            job=job,
            spec=manifest["spec"],
            labels=labels,
            fault=self._next_fault(labels),
            stop=asyncio.get_running_loop().create_future(),
        )
        self.pods[job or name] = pod
        return pod

    async def _run_alone(self, pod: Pod) -> None:
        always = pod.spec.get("restartPolicy", "Always") == "Always"
        try:
            while True:
                code = await self._run_pod(pod)
                if code is not None:
                    self._show_ended(pod, code, failed=code != 0)
                if not always or not await _before_stop(pod, asyncio.sleep(RESTART_SECONDS)):
                    break
                pod.restarts += 1
        finally:
            del self.pods[pod.name]
        if pod.stop.done():
            self.objects.delete("pods", pod.name)

    def _next_fault(self, labels: Mapping[str, str]) -> Fault | None:
        for fault in self.faults:
            if fault.flow_run == labels.get("prefect.io/flow-run-name"):
                self.faults.remove(fault)
                return fault
        return None

    async def _run_pod(self, pod: Pod) -> int | None:
        """The exit code of the pod's container; None when it never started."""
        if (
            pod.fault
            and pod.fault.kind == "unschedulable"
            and not await _before_stop(pod, self.grown.wait())
        ):
            return None
        if not self._scheduler.fits(pod.spec):
            self._show_unschedulable(pod)
        if not await _before_stop(pod, self._scheduler.place(pod.spec)):
            return None
        self._show(pod, "Pending", {"waiting": {"reason": "ContainerCreating"}})
        try:
            environment = self._environment(pod)
        except NotStartableError as wait:
            self._show(pod, "Pending", {"waiting": {"reason": wait.reason, "message": str(wait)}})
            await self._scheduler.clear(pod.spec)
            await pod.stop
            return None
        try:
            return await self._run_process(pod, environment)
        finally:
            await self._scheduler.clear(pod.spec)

    def _environment(self, pod: Pod) -> dict[str, str]:
        """What the image and the pod set, and nothing of this process's own environment."""
        home = self.folder / pod.name
        # The empty folder that the image has where the container starts.
        (home / "start").mkdir(parents=True, exist_ok=True)
        environment = self.containers.environment(pod, self._running(), home)
        if pod.fault:
            environment |= {
                "PYTHONPATH": str(FAULT_FOLDER),
                "STAND_IN_FAULT": "held" if pod.fault.kind == "evicted" else pod.fault.kind,
                "STAND_IN_MARK": str(home / "held"),
            }
        self.environments[pod.name] = environment
        return environment

    def _running(self) -> list[Pod]:
        return [pod for pod in self.pods.values() if pod.process is not None]

    async def _run_process(self, pod: Pod, environment: dict[str, str]) -> int:
        with self.log(pod.name).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self.containers.command(pod, self._running()),
                env=environment,
                cwd=self.folder / pod.name / "start",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        pod.process = process
        self._show(pod, "Running", {"running": {"startedAt": now()}})
        exited = asyncio.ensure_future(process.wait())
        either: list[asyncio.Future[Any]] = [exited, pod.stop]
        eviction = asyncio.ensure_future(self._evict_when_held(pod, environment))
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                # A container's first process is asked to end; then all are killed.
                process.terminate()
                grace = pod.spec["terminationGracePeriodSeconds"]
                await asyncio.wait([exited], timeout=grace)
        finally:
            eviction.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        code = await exited
        pod.process = None
        return code if code >= 0 else 128 - code

    async def _evict_when_held(self, pod: Pod, environment: Mapping[str, str]) -> None:
        if pod.fault and pod.fault.kind == "evicted":
            mark = Path(environment["STAND_IN_MARK"])
            while not mark.exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
                await asyncio.sleep(0.02)
            _stop(pod, "evicted")

    def _finish(self, pod: Pod, code: int | None, spec: Manifest) -> None:
        why = pod.stop.result() if pod.stop.done() else None
        if why == "deleted":
            self.objects.delete("pods", pod.name)
            self._remove(pod.job)
            return
        failed = why is not None or code != 0
        if code is not None:
            self._show_ended(pod, code, failed=failed)
        if why == "evicted":
            said = {"reason": "Evicted", "message": "The node was low on resource: memory."}
            self.objects.update("pods", pod.name, status={"phase": "Failed", **said})
        if why == "deadline":
            self.objects.delete("pods", pod.name)
        reason = "DeadlineExceeded" if why == "deadline" else "BackoffLimitExceeded"
        kind = {"type": "Failed", "reason": reason} if failed else {"type": "Complete"}
        count = {"failed": 1} if failed else {"succeeded": 1, "completionTime": now()}
        condition = {**kind, "status": "True", "lastTransitionTime": now()}
        status = {"active": 0, **count, "conditions": [condition]}
        self.objects.update("jobs", pod.job, status=status)
        if (ttl := spec.get("ttlSecondsAfterFinished")) is not None:
            asyncio.get_running_loop().call_later(ttl, self._expire, pod)

    def _expire(self, pod: Pod) -> None:
        if self.objects.get("pods", pod.name):
            self.objects.delete("pods", pod.name)
        self._remove(pod.job)

    def _remove(self, job: str) -> None:
        if self.objects.get("jobs", job):
            self.objects.delete("jobs", job)

    def _show_unschedulable(self, pod: Pod) -> None:
        message = "0/1 nodes are available: 1 Insufficient memory."
        unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                         "message": message}  # fmt: skip
        status = {"phase": "Pending", "conditions": [unschedulable]}
        self.objects.update("pods", pod.name, status=status)

    def _show_ended(self, pod: Pod, code: int, *, failed: bool) -> None:
        name = "OOMKilled" if code == KILLED else "Error" if code else "Completed"
        ended = {"exitCode": code, "reason": name, "startedAt": now(), "finishedAt": now()}
        self._show(pod, "Failed" if failed else "Succeeded", {"terminated": ended})

    def _show(self, pod: Pod, phase: str, state: Manifest) -> None:
        (container,) = pod.spec["containers"]
        status = {
            "name": container["name"],
            "image": container["image"],
            "imageID": "sha256:0" if phase != "Pending" else "",
            "ready": phase == "Running",
            "restartCount": pod.restarts,
            "state": state,
        }
        parts = {"phase": phase, "startTime": now(), "containerStatuses": [status]}
        self.objects.update("pods", pod.name, status=parts)


async def _before_stop(pod: Pod, event: Coroutine[Any, Any, Any]) -> bool:
    """Whether the event comes before the pod has to stop; it is waited for no longer then."""
    coming = asyncio.ensure_future(event)
    either: list[asyncio.Future[Any]] = [coming, pod.stop]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    return coming.done() or not coming.cancel()


def _stop(pod: Pod, why: str) -> None:
    if not pod.stop.done():
        pod.stop.set_result(why)
