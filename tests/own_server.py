"""A Prefect server of a module's own: what it registers disturbs no other test's runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from servers.prefect import available_port, start_server


@contextmanager
def server_with_password(folder: Path, login: str) -> Iterator[str]:
    """Run a server that asks for `user:password`; its API URL.

    Args:
        folder: Of its data, with the tables in it: see the fixture `migrated`.
        login: What it asks for.
    """
    read, write = os.pipe()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_SERVER_API_AUTH_STRING", login)
        server = start_server(folder, available_port(0), stdin=read, keep_open=[])
    os.close(read)
    try:
        server.wait_until_healthy()
        yield server.api_url
    finally:
        os.close(write)
        server.process.wait(120)
