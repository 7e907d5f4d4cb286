"""The live side of a release on the stand-in cluster: what Helm and `kubectl` would do there."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.charts.kubernetes_api.cluster import Cluster
from tests.charts.kubernetes_api.containers import LOOPBACK
from tests.charts.rendering import FULLNAME, Manifest, Release
from tests.waiting import wait_until

PROCESSES = ("stream", "windows", "signals", "alerts", "executor")
ENDED = {"Succeeded", "Failed"}
SECONDS = 300.0


@dataclass
class LiveRelease:
    """A release whose pods run as its manifests have them.

    Attributes:
        release: The manifests.
        cluster: Where they run.
        pods: Component -> the name of its pod.
    """

    release: Release
    cluster: Cluster
    pods: dict[str, str] = field(default_factory=dict)

    def install(self) -> None:
        """What the README's commands come to: the processes, a key of the API, and the API."""
        self.run_hook("prepare-database")
        self.run_hook("prepare-storage")
        self.start("console", *PROCESSES)
        command = ("trading", "keys", "create", "desk", "--role", "admin")
        made = self.execute("console", *command)
        assert made.returncode == 0, made.stderr
        self.start("api")

    def run_hook(self, suffix: str) -> None:
        """Run the Job of a hook, in place of an earlier one; fail when it does."""
        name = f"{FULLNAME}-{suffix}"
        for job in self.cluster.jobs():
            if job["metadata"]["name"] == name:
                self.cluster.delete_job(name)
        self.cluster.run_job(self.release.one("Job", suffix))

        def ends() -> set[str]:
            conditions = self.cluster.job(name)["status"].get("conditions", [])
            return {condition["type"] for condition in conditions}

        wait_until(ends, f"the hook {suffix} ends", SECONDS)
        assert ends() == {"Complete"}, self.cluster.logs(name)

    def start(self, *components: str) -> None:
        """Start the one pod of each Deployment, and wait until all are ready."""
        for component in components:
            self.pods[component] = self.another(component)
        for component in components:
            name = self.pods[component]
            wait_until(
                lambda name=name: self.is_ready(name),  # type: ignore[misc]
                f"{component} is ready", SECONDS,
            )  # fmt: skip

    def another(self, component: str) -> str:
        """Start a pod of a Deployment, whatever others there are; its name."""
        deployment = self.release.one("Deployment", component)
        assert deployment["spec"]["replicas"] == 1
        return self.cluster.run_pod(deployment["spec"]["template"], f"{FULLNAME}-{component}")

    def terminate(self, *components: str) -> None:
        """Ask pods to end."""
        for component in components:
            self.cluster.delete_pod(self.pods[component])

    def wait_until_gone(self, *components: str) -> None:
        for component in components:
            name = self.pods[component]
            gone = f"{component} has ended"
            wait_until(lambda name=name: self.cluster.pod(name) is None, gone, SECONDS)  # type: ignore[misc]
            del self.pods[component]

    def exit_code(self, pod: str) -> int:
        """How the container of a pod ended the last time."""
        ends = [
            container["state"]["terminated"]["exitCode"]
            for _, one in self.cluster.history("pods")
            if one["metadata"]["name"] == pod
            for container in one["status"].get("containerStatuses", [])
            if "terminated" in container["state"]
        ]
        return int(ends[-1])

    def is_ready(self, pod: str) -> bool:
        """What its readiness probe answers; without one whether it runs."""
        manifest = self.cluster.pod(pod)
        assert manifest is not None
        if manifest["status"]["phase"] != "Running":
            return False
        (container,) = manifest["spec"]["containers"]
        if "readinessProbe" not in container:
            return True
        asked = container["readinessProbe"]["httpGet"]
        named = {port["name"]: port["containerPort"] for port in container["ports"]}
        port = self.cluster.running(pod).ports[named[asked["port"]]]
        try:
            return httpx.get(f"http://{LOOPBACK}:{port}{asked['path']}", timeout=10).is_success
        except httpx.TransportError:
            return False

    def signal(self, component: str, number: signal.Signals) -> None:
        """Send a signal to the process of a component's pod."""
        process = self.cluster.running(self.pods[component]).process
        assert process is not None
        os.kill(process.pid, number)

    def execute(self, component: str, *command: str) -> subprocess.CompletedProcess[str]:
        """`kubectl exec`."""
        environment = self.cluster.environments()[self.pods[component]]
        return subprocess.run(
            command, env=environment, cwd=environment["HOME"],
            capture_output=True, text=True, check=False, timeout=SECONDS,
        )  # fmt: skip

    def test(self, release: Release | None = None) -> tuple[int, str]:
        """`helm test` of what is about the live side: exit code, and what it said."""
        pod = (release or self.release).workloads()["test-live"]
        metadata = {key: value for key, value in pod["metadata"].items() if key != "name"}
        return self._once({**pod, "metadata": metadata}, pod["metadata"]["name"])

    def run_as_flow(self, *command: str) -> tuple[int, str]:
        """Run a command in a pod as a flow run has it: exit code, and what it said."""
        job = self.release.job_template()["job_configuration"]["job_manifest"]
        default = self.release.job_default
        amounts = {name: default(f"{name}_request") for name in ("cpu", "memory")}
        container = {
            "name": "prefect-job",
            "image": default("image"),
            "args": [*command],
            "env": default("env_value_from"),
            "envFrom": default("env_from"),
            "resources": {"requests": amounts},
        }
        spec = {
            "restartPolicy": job["spec"]["template"]["spec"]["restartPolicy"],
            "terminationGracePeriodSeconds": default("termination_grace_period_seconds"),
            "containers": [container],
        }
        return self._once({"metadata": {"labels": {}}, "spec": spec}, "flow-run")

    def knows(self, secret: str) -> set[str]:
        """The pods that were ever started with something in a variable."""
        return {
            name
            for name, variables in self.cluster.environments().items()
            if secret in repr(variables)
        }

    def _once(self, template: Manifest, prefix: str) -> tuple[int, str]:
        """Run a pod until it ends: exit code, and what it said."""
        name = self.cluster.run_pod(template, prefix)

        def state() -> dict[str, Any]:
            made = self.cluster.pod(name)
            assert made is not None
            return dict(made["status"])

        wait_until(lambda: state()["phase"] in ENDED, f"{name} ends", SECONDS)
        (container,) = state()["containerStatuses"]
        return container["state"]["terminated"]["exitCode"], self.cluster.log(name)

    def log(self, component: str) -> str:
        return self.cluster.log(self.pods[component])

    def logs(self, components: Iterable[str] = PROCESSES) -> str:
        """The ends of logs, for a message."""
        return "\n".join(f"{name}:\n{self.log(name)[-1500:]}" for name in components)
