"""One real Prefect server for the whole test session, whatever number of workers share it.

The first test that asks for `prefect_server` starts it. Its lifeline is a FIFO that only the
session's main process holds open, so it ends with the session, even with one that is killed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.local_server import available_port, start_server
from tests.s3 import s3_bucket, s3_server  # noqa: F401 - fixtures for all rooms

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

_FOLDER_VARIABLE = "TRADING_TEST_SERVER_FOLDER"
_SOAK_ENDS_VARIABLE = "TRADING_TEST_SOAK_ENDS"
_lifeline = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long tests of the mark `soak` may go on to begin."""
    parser.addoption(
        "--soak-minutes",
        type=float,
        default=9.0,
        help="No test marked soak begins later than so many minutes after the session.",
    )


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
    soak_seconds = 60 * config.getoption("--soak-minutes")
    os.environ[_SOAK_ENDS_VARIABLE] = str(time.time() + soak_seconds)
    os.environ["PREFECT_HOME"] = str(folder / "prefect")
    # No test may start a server by accident: a flow without `prefect_server` fails at once.
    os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "false"


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the server and wait until it has ended: it holds the lock as long as it lives."""
    if _lifeline in config.stash:
        folder = Path(os.environ[_FOLDER_VARIABLE])
        os.close(config.stash[_lifeline])
        with (folder / "server.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes whole processes and minutes comes last, and of that the faults come first."""

    def turn(item: pytest.Item) -> tuple[bool, bool]:
        soak = item.get_closest_marker("soak") is not None
        return soak, soak and "reliability" not in item.path.parts

    items.sort(key=turn)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin no test marked soak when its time is over: a slow machine runs fewer of them."""
    if item.get_closest_marker("soak") and time.time() > float(os.environ[_SOAK_ENDS_VARIABLE]):
        pytest.skip("no time is left for it: uv run pytest -m soak --soak-minutes 60")


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """The API URL of the session's server, set for this process and those it starts."""
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415 - slow

    api_url = _session_server(Path(os.environ[_FOLDER_VARIABLE]))
    with pytest.MonkeyPatch.context() as patch, temporary_settings({PREFECT_API_URL: api_url}):
        patch.setenv("PREFECT_API_URL", api_url)
        yield api_url


@pytest.fixture
async def prefect_client(prefect_server: str) -> AsyncIterator[PrefectClient]:
    """A client of the session's server."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - slow

    async with get_client() as client:
        yield client


@pytest.fixture(scope="session")
def migrated(prefect_server: str) -> Callable[[Path], Path]:
    """Give a server to come the tables of the session's, which takes it half of its first start.

    Called with the folder of the server, which it returns.
    """

    def copy_tables(folder: Path) -> Path:
        (folder / "prefect").mkdir(parents=True)
        shutil.copy(_tables(Path(os.environ[_FOLDER_VARIABLE])), folder / "prefect" / "prefect.db")
        return folder

    return copy_tables


def _session_server(folder: Path) -> str:
    """Start the session's server, or wait for the one that another worker is starting."""
    address = folder / "api_url"
    with (folder / "start.lock").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not address.exists():
            address.write_text(_start_session_server(folder))
        return address.read_text()


def _start_session_server(folder: Path) -> str:
    lifeline = os.open(folder / "lifeline", os.O_RDONLY)
    with (folder / "server.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        server = start_server(folder, available_port(0), stdin=lifeline, keep_open=[lock.fileno()])
        os.close(lifeline)
        server.wait_until_healthy()
    with (
        closing(sqlite3.connect(folder / "prefect" / "prefect.db")) as database,
        closing(sqlite3.connect(_tables(folder))) as copy,
    ):
        database.backup(copy)
    return server.api_url


def _tables(folder: Path) -> Path:
    """A copy of the session server's database as it was before any test."""
    return folder / "tables.db"
