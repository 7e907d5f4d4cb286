"""Runs commands in a built image as a hardened pod does.

A container has process ids, a network and mounts of its own, a read-only root, no capability, and
a user and group id that no file of the image names; `/tmp` is the one place it can write to.
"""

from __future__ import annotations

import contextlib
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.image.build import Root, enter, mounts
from tests.waiting import wait_until

FOREIGN = 12345
BECOME = (
    f"setpriv --reuid {FOREIGN} --regid {FOREIGN} --clear-groups --no-new-privs "
    "--inh-caps=-all --bounding-set=-all"
)
START_SECONDS = 300
_ENTER = ["nsenter", "--mount", "--pid", "--net", "--root", "--wd"]

# A new network has its loopback interface down, and there may be no tool to raise it with.
LOOPBACK_UP = (
    "import fcntl, socket, struct; fcntl.ioctl("
    "socket.socket(), 0x8914, struct.pack('16sh', b'lo', 0x1 | 0x40))"
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container finds beside its image.

    Attributes:
        volume: Folder to mount at `/data`, for the container's group to write as with `fsGroup`.
        files: Path inside -> folder or file to mount there.
        network: A process whose network it shares; None gives it one of its own.
    """

    volume: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    network: int | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """A container that runs.

    Attributes:
        image: What it was made from.
        env: Environment of its processes.
        process: Ends when the container has ended.
        log: What its first process writes.
    """

    image: Root
    env: Mapping[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    def execute(self, command: Sequence[str], **env: str) -> subprocess.CompletedProcess[str]:
        """Run one more command inside, as `kubectl exec` does."""
        into = [*_ENTER, f"--target={self._first()}", *BECOME.split()]
        assignments = [f"{name}={value}" for name, value in {**self.env, **env}.items()]
        return subprocess.run(
            [*into, "/usr/bin/env", "--ignore-environment", *assignments, *command],
            capture_output=True, text=True, check=False, timeout=START_SECONDS,
        )  # fmt: skip

    def wait_for(self, command: Sequence[str]) -> str:
        """What a command prints inside, once it succeeds; the container must not end before."""
        done = self.execute(command)

        def succeeds() -> bool:
            nonlocal done
            if done.returncode != 0:
                assert self.process.poll() is None, self.log.read_text()
                done = self.execute(command)
            return done.returncode == 0

        def what() -> str:
            return f"{command[0]} succeeds: {done.stderr}\n{self.log.read_text()}"

        wait_until(succeeds, what, START_SECONDS)
        return done.stdout

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send process 1 a signal, wait for the end, and return its exit code."""
        psutil.Process(self._first()).send_signal(number)
        return self.process.wait(START_SECONDS)

    def _has_begun(self) -> bool:
        """Whether the first process has become the command's user, or has ended already."""
        return self.process.poll() is not None or bool(psutil.Process(self._first()).uids().real)

    def _first(self) -> int:
        """The id, outside, of the container's first process."""
        children: list[psutil.Process] = []

        def has_one() -> bool:
            children[:] = psutil.Process(self.process.pid).children()
            assert children or self.process.poll() is None, self.log.read_text()
            return bool(children)

        wait_until(has_one, "the container has a process", START_SECONDS)
        return children[0].pid


@contextlib.contextmanager
def running(
    image: Root,
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    surroundings: Surroundings = Surroundings(),
) -> Iterator[Container]:
    """A container that runs `command`; gone on exit.

    Args:
        image: What to make it from.
        command: Its first process.
        log: Where that one's output goes.
        env: Environment besides the image's own.
        surroundings: What it finds beside the image.
    """
    environment = {**image.env, **(env or {})}
    script = _script(image, command, environment, surroundings)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_namespaces(surroundings), "sh", "-ec", script],
            stdout=output, stderr=output, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        container = Container(image, environment, process, log)
        # Until its first process is the command, a signal would end the shell that prepares it.
        wait_until(container._has_begun, f"the first process of {log.name}", START_SECONDS)
        yield container
    finally:
        _end(process)


def run(
    image: Root,
    command: Sequence[str],
    surroundings: Surroundings = Surroundings(),
    **env: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command in a container of its own, to its end."""
    script = _script(image, command, image.env | env, surroundings)
    whole = [*_namespaces(surroundings), "sh", "-ec", script]
    with subprocess.Popen(
        whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=START_SECONDS)
        finally:
            _end(process)
    return subprocess.CompletedProcess(whole, process.returncode, output, errors)


def _end(process: subprocess.Popen[Any]) -> None:
    """Kill a container that still runs: its first process, and so all of it.

    `--kill-child` does not reach a process that has become another user.
    """
    if process.poll() is None:
        for first in psutil.Process(process.pid).children():
            first.kill()
        process.kill()
        process.wait()


def _namespaces(surroundings: Surroundings) -> list[str]:
    new = ["unshare", "--mount", "--pid", "--fork"]
    if surroundings.network is None:
        return [*new, "--net"]
    return ["nsenter", f"--net=/proc/{surroundings.network}/ns/net", *new]


def _script(
    image: Root, command: Sequence[str], env: Mapping[str, str], surroundings: Surroundings
) -> str:
    inside = image.folder / "root"
    # Runtimes make the places where something is mounted, below a read-only root too.
    places = [
        f"mkdir -p {inside}{place}" for place, outside in surroundings.files.items()
        if outside.is_dir()
    ]  # fmt: skip
    writable = f"mount -t tmpfs -o mode=1777 tmpfs {inside / 'tmp'}"
    lines = [*mounts(image, read_only=True, then=places), writable]
    lines += [
        f"mount --bind -o ro {outside} {inside}{place}"
        for place, outside in surroundings.files.items()
    ]
    if (volume := surroundings.volume) is not None:
        volume.chmod(0o2775)
        lines += [f"chown 0:{FOREIGN} {volume}", f"mount --bind {volume} {inside}/data"]
    if surroundings.network is None:
        lines.append(f"{sys.executable} -c {shlex.quote(LOOPBACK_UP)}")
    start = [f"cd {image.workdir}", f"exec {shlex.join(command)}"]
    lines.append(enter(image, env, start, become=BECOME))
    return "\n".join(lines)
