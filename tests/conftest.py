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
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from servers.prefect import available_port, start_server
from tests.s3 import s3_bucket, s3_server  # noqa: F401 - fixtures for all rooms

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

_FOLDER_VARIABLE = "TRADING_TEST_SERVER_FOLDER"
_SOAK_ENDS_VARIABLE = "TRADING_TEST_SOAK_ENDS"
_REGISTERS_BLOCKS = "PREFECT_SERVER_REGISTER_BLOCKS_ON_START"
_SPARED_MINUTES = 3
_NO_TIME = "no time is left for it"
_lifeline = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long tests of the mark `soak` may go on to begin."""
    parser.addoption(
        "--soak-minutes",
        type=float,
        default=13.5,
        help="No test marked soak begins later than so many minutes after the session, and none "
        f"that docs/reliability.md does not name in the last {_SPARED_MINUTES} of them.",
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes whole processes and minutes comes last, and first of it what has been promised."""

    def turn(item: pytest.Item) -> tuple[bool, bool]:
        soak = item.get_closest_marker("soak") is not None
        return soak, soak and not _is_promised(item.nodeid)

    items.sort(key=turn)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which promises were not tested for want of time, so that a green run hides none."""
    late = {
        report.nodeid
        for report in terminalreporter.stats.get("skipped", [])
        if _NO_TIME in str(report.longrepr) and _is_promised(report.nodeid)
    }
    for nodeid in sorted(late):
        terminalreporter.write_line(f"docs/reliability.md promises it, not run: {nodeid}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin no test marked soak when its time is over: a slow machine runs fewer of them."""
    if item.get_closest_marker("soak"):
        spared = 0 if _is_promised(item.nodeid) else 60 * _SPARED_MINUTES
        if time.time() > float(os.environ[_SOAK_ENDS_VARIABLE]) - spared:
            pytest.skip(f"{_NO_TIME}: uv run pytest -m soak --soak-minutes 60")


@cache
def _promises() -> str:
    return (Path(__file__).parents[1] / "docs" / "reliability.md").read_text()


def _is_promised(nodeid: str) -> bool:
    return f"`{nodeid.partition('[')[0]}`" in _promises()


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
