"""A real Prefect server for each process of tests: no test meets another's runs under way.

The first test of a process that asks for `prefect_server` starts it. Its lifeline is a FIFO that
only the session's main process holds open, so it ends with the session, even with one that is
killed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from servers.prefect import available_port, start_server
from tests.s3 import s3_bucket, s3_server  # noqa: F401 - fixtures for all rooms

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

# No test asserts a duration, so none does by Hypothesis's default either.
hypothesis.settings.register_profile("without-deadline", deadline=None)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=10_000)
hypothesis.settings.load_profile("without-deadline")

_FOLDER_VARIABLE = "TEST_SERVER_FOLDER"
_REGISTERS_BLOCKS = "PREFECT_SERVER_REGISTER_BLOCKS_ON_START"
_lifeline = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests away from the user's own Prefect, before anything imports it."""
    if hasattr(config, "workerinput"):
        return  # a worker of pytest-xdist inherits this environment
    folder = Path(tempfile.mkdtemp(prefix="trading-tests-"))
    os.mkfifo(folder / "lifeline")
    config.stash[_lifeline] = os.open(folder / "lifeline", os.O_RDWR)
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "TRADING_"))]:
        del os.environ[name]
    os.environ[_FOLDER_VARIABLE] = str(folder)
    os.environ["PREFECT_HOME"] = str(folder / "prefect")
    # No test may start a server by accident: a flow without `prefect_server` fails at once.
    os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "false"
    # The session's first server has the block types of all packages, which takes it seconds; the
    # others have copies of its tables, or no test that looks.
    os.environ[_REGISTERS_BLOCKS] = "false"


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers and wait until they have: they hold the lock as long as they live."""
    if _lifeline in config.stash:
        folder = Path(os.environ[_FOLDER_VARIABLE])
        os.close(config.stash[_lifeline])
        with (folder / "server.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server_folder() -> Path:
    """Where this process's server keeps its database and its log."""
    return Path(os.environ[_FOLDER_VARIABLE]) / os.environ.get("PYTEST_XDIST_WORKER", "alone")


@pytest.fixture(scope="session")
def prefect_server(server_folder: Path) -> Iterator[str]:
    """The API URL of this process's server, set for it and those it starts."""
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415 - slow

    api_url = _started(server_folder)
    with pytest.MonkeyPatch.context() as patch, temporary_settings({PREFECT_API_URL: api_url}):
        patch.setenv("PREFECT_API_URL", api_url)
        yield api_url


@pytest.fixture
async def prefect_client(prefect_server: str) -> AsyncIterator[PrefectClient]:
    """A client of this process's server."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - slow

    async with get_client() as client:
        yield client


@pytest.fixture(scope="session")
def migrated(prefect_server: str) -> Callable[[Path], Path]:
    """Give a server to come the tables of this one, which takes it half of its first start.

    Called with the folder of the server, which it returns.
    """

    def copy_tables(folder: Path) -> Path:
        _copy_tables(Path(os.environ[_FOLDER_VARIABLE]), folder)
        return folder

    return copy_tables


def _started(folder: Path) -> str:
    """Start a server there; the first of the session makes its tables for the others too."""
    session = folder.parent
    folder.mkdir()
    with (session / "start.lock").open("a") as turn, (session / "server.lock").open("a") as lock:
        fcntl.flock(turn, fcntl.LOCK_EX)
        first = not _tables(session).exists()
        if not first:
            _copy_tables(session, folder)
        fcntl.flock(lock, fcntl.LOCK_SH)
        lifeline = os.open(session / "lifeline", os.O_RDONLY)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(_REGISTERS_BLOCKS, str(first).lower())
            server = start_server(
                folder, available_port(0), stdin=lifeline, keep_open=[lock.fileno()]
            )
        os.close(lifeline)
        server.wait_until_healthy()
        if first:
            _keep_tables(folder, session)
    return server.api_url


def _keep_tables(folder: Path, session: Path) -> None:
    with (
        closing(sqlite3.connect(folder / "prefect" / "prefect.db")) as database,
        closing(sqlite3.connect(_tables(session))) as copy,
    ):
        database.backup(copy)


def _copy_tables(session: Path, folder: Path) -> None:
    (folder / "prefect").mkdir(parents=True)
    shutil.copy(_tables(session), folder / "prefect" / "prefect.db")


def _tables(session: Path) -> Path:
    """A copy of the first server's database as it was before any test."""
    return session / "tables.db"
