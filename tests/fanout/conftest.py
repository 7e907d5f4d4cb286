"""What the engine's tests share: quick retries, quiet engines, and a wire to listen to."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import anyio
import pytest
import stamina
from prefect.settings import (
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from fanout import runs
from tests.fanout.wire import Wire


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait briefly wherever a request is sent again; leave out threads that no test looks at."""

    async def nap(seconds: float) -> None:
        await anyio.sleep(min(seconds, 0.2))

    # The client waits 2, 4, 8, ... seconds.
    monkeypatch.setattr("prefect.client.base.anyio", SimpleNamespace(sleep=nap, Lock=anyio.Lock))
    impatient = stamina.AsyncRetryingCaller(
        attempts=runs.ROUNDS, wait_initial=0.02, wait_max=0.2, wait_jitter=0.05
    )
    monkeypatch.setattr(runs, "_persistently", impatient.on(runs.is_transient))
    quiet = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
    with temporary_settings(quiet):
        yield


@pytest.fixture(autouse=True)
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Every request that this process sends from now on."""
    wire = Wire()
    wire.attach(monkeypatch)
    return wire
