"""The command as users start it, and processes to watch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from flows.boundary.settings import settings
from tests.database.conftest import (  # noqa: F401 - fixtures of this folder
    database,
    database_url,
    migrated_database,
    postgres,
)
from tests.waiting import WAIT_SECONDS

WHOLE_COMMAND_SECONDS = 300.0
"""How long a command may take that does all its work: 240 partitions, on a slow machine."""


PROXIES = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")
"""Where a machine reaches the world, but not itself, through a proxy; nothing listens there."""

Run = Callable[..., subprocess.CompletedProcess[str]]


class Start(Protocol):
    def __call__(self, *arguments: str, **environment: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `trading` with all its folders in `tmp_path`; whatever is left is killed at the end.

    `trading demo` may make its sample there, as it does in the default folder unasked.
    """
    started: list[subprocess.Popen[str]] = []

    def start_command(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        folders = {
            "TRADING_SERVER_DIR": str(tmp_path / "server"),
            "TRADING_INPUT_DIR": str(tmp_path / "input"),
            "TRADING_OUTPUT_DIR": str(tmp_path / "output"),
        }
        if arguments[:1] == ("demo",):
            arguments = ("demo", "--make-sample", *arguments[1:])
        inherited = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}
        process = subprocess.Popen(
            [sys.executable, "-c", "from cli.app import main; main()", *arguments],
            env=inherited | folders | environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_command
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def run(start: Start) -> Run:
    """Run `trading` to its end."""

    def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = start(*arguments, **environment)
        stdout, stderr = process.communicate(timeout=WHOLE_COMMAND_SECONDS)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    return run_command


@pytest.fixture
def named_database(
    database_url: str,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """Commands in this process work with a database of the test's own."""
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    settings.cache_clear()
    yield
    settings.cache_clear()


def assert_all_end(processes: list[psutil.Process]) -> None:
    """Wait until none of the processes lives."""
    assert processes
    _, alive = psutil.wait_procs(processes, timeout=WAIT_SECONDS)
    survivors = [process.cmdline() for process in alive]
    for process in alive:
        process.kill()
    assert not survivors
