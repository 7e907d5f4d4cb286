"""A server that fails, is slow or goes away while a parent creates and watches its children.

What leaves this process is disturbed where httpx sends it; the server behind it is real. Pauses
are a hundredth of what users have.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import anyio
import httpx
import pytest
import stamina
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.settings import (
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from fanout import FanOutPolicy, Outcome, runs
from tests.fanout.conftest import wire  # noqa: F401 - the fixture
from tests.fanout.toy import Leaf, Worker, deployed, new_parent, working
from tests.fanout.wire import (
    BULK_CREATE,
    Fault,
    Send,
    Wire,
    answer,
    lose_reply,
    no_client_retries,
    refuse_connection,
)

COMPRESSION = 100
COMPLETED = StateType.COMPLETED
JOBS = FanOutPolicy(max_in_flight=100, poll_seconds=0.05)


@pytest.fixture(autouse=True)
def _compressed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A pause of a second, the client's own or ours between rounds, takes 10 ms."""

    async def nap(seconds: float) -> None:
        await anyio.sleep(seconds / COMPRESSION)

    monkeypatch.setattr("prefect.client.base.anyio", SimpleNamespace(sleep=nap, Lock=anyio.Lock))
    persistent = stamina.AsyncRetryingCaller(
        attempts=runs.ROUNDS,
        wait_initial=0.2 / COMPRESSION,
        wait_max=10.0 / COMPRESSION,
        timeout=runs.PATIENCE_SECONDS / COMPRESSION,
    )
    monkeypatch.setattr(runs, "_persistently", persistent.on(runs.is_transient))
    with temporary_settings(
        {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
    ):
        yield


def of_the_parent(fault: Fault) -> Fault:
    """This fault for the parent's looks at its children; those of the stand-in worker pass."""

    async def theirs(request: httpx.Request, send: Send) -> httpx.Response:
        of_a_deployment = json.loads(request.content).get("deployments")
        return await (send() if of_a_deployment else fault(request, send))

    return theirs


def sometimes(every: int, fault: Fault) -> Fault:
    """This fault for every n-th request; the others pass."""
    numbers = itertools.count(1)

    async def maybe(request: httpx.Request, send: Send) -> httpx.Response:
        return await (fault(request, send) if next(numbers) % every == 0 else send())

    return maybe


async def too_late(request: httpx.Request, send: Send) -> httpx.Response:
    """The server does what it is asked; its answer comes after the client has stopped waiting."""
    await (await send()).aread()
    raise httpx.ReadTimeout("timed out", request=request)


FAULTS = {
    "500": answer(500),
    "503": answer(503),
    "504": answer(504),
    "429": answer(429, {"Retry-After": "2"}),
    "reply lost": lose_reply,
    "too late": too_late,
    "refused": refuse_connection,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_every_third_request_fails_and_no_inline_run_is_lost_or_doubled(
    prefect_client: PrefectClient,
    wire: Wire,  # noqa: F811
    fault: Fault,
) -> None:
    """Fails for 500 and 504 without the extra codes in `inline_client`: runs break off."""
    leaf = Leaf()
    async with deployed(prefect_client, leaf) as toy:
        parent = await new_parent(prefect_client)
        for path in ("/set_state", BULK_CREATE, "flow_runs/filter"):
            wire.disturb_always(path, sometimes(3, fault))
        await asyncio.wait_for(parent.execute(toy.inline(8)), 60)
        wire.allow()
        states = await toy.states()
    assert parent.run_set.counts() == {Outcome.COMPLETED: 8}
    assert states == {item: [COMPLETED] for item in range(8)}
    assert leaf.calls == dict.fromkeys(range(8), 1)
    assert parent.run.state_type is COMPLETED


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_every_second_look_and_creation_fails_and_no_job_is_lost_or_doubled(
    prefect_client: PrefectClient,
    wire: Wire,  # noqa: F811
    fault: Fault,
) -> None:
    """Fails when `create_runs` or `read_ended` send their request once only."""

    async with deployed(prefect_client, Leaf(), pooled=True) as toy:
        parent = await new_parent(prefect_client)
        wire.disturb_always(BULK_CREATE, sometimes(2, fault))
        wire.disturb(BULK_CREATE, fault)
        wire.disturb_always("flow_runs/filter", of_the_parent(sometimes(2, fault)))
        async with working(Worker(toy)):
            await asyncio.wait_for(parent.execute(toy.jobs(8, JOBS)), 60)
        wire.allow()
        states = await toy.states()
    assert parent.run_set.counts() == {Outcome.COMPLETED: 8}
    assert states == {item: [COMPLETED] for item in range(8)}


async def test_the_deployment_and_the_link_to_the_parent_are_asked_for_as_long_as_all_else(
    prefect_client: PrefectClient,
    wire: Wire,  # noqa: F811
) -> None:
    """Fails when `_attach` asks for them once only: a locked database ended whole contracts."""
    async with deployed(prefect_client, Leaf()) as toy:
        parent = await new_parent(prefect_client)
        for path in ("/deployments/name/", "/task_runs/"):
            wire.disturb(path, answer(500))
        with no_client_retries():
            await asyncio.wait_for(parent.execute(toy.inline(2)), 60)
        states = await toy.states()
    assert states == {item: [COMPLETED] for item in range(2)}


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "jobs"])
async def test_half_a_minute_without_a_connection_costs_no_run(
    prefect_client: PrefectClient,
    wire: Wire,  # noqa: F811
    *,
    inline: bool,
) -> None:
    """Fails without the client's retries (`no_client_retries`): inline runs crash."""
    outage = Outage(wire, seconds=30)

    async def then_unplug(item: int) -> int:
        if item == 2:
            outage.begin()
        return item * 10

    async with deployed(prefect_client, then_unplug, pooled=not inline) as toy:
        parent = await new_parent(prefect_client)
        if inline:
            await parent.execute(toy.inline(8))
        else:
            async with working(Worker(toy)):
                await parent.execute(toy.jobs(8, JOBS))
        states = await toy.states()
    assert outage.refused > 0
    assert parent.run_set.counts() == {Outcome.COMPLETED: 8}
    assert states == {item: [COMPLETED] for item in range(8)}


class Outage:
    """Nobody listens for so many seconds, of those that users have."""

    def __init__(self, wire: Wire, seconds: float) -> None:  # noqa: F811
        self.refused = 0
        self._wire, self._seconds, self._over = wire, seconds / COMPRESSION, 0.0

    def begin(self) -> None:
        self._over = time.monotonic() + self._seconds
        self._wire.disturb_always("/api/", self._refuse)

    async def _refuse(self, request: httpx.Request, send: Send) -> httpx.Response:
        if time.monotonic() >= self._over:
            return await send()
        self.refused += 1
        return await refuse_connection(request, send)


async def test_a_server_that_is_gone_for_good_is_reported_and_the_retry_does_the_rest(
    prefect_client: PrefectClient,
    wire: Wire,  # noqa: F811
) -> None:
    """Fails when the waiting has no bound (`attempts=None` in `_compressed`): it times out."""
    leaf = Leaf()

    async def then_unplug(item: int) -> int:
        if item == 2 and leaf.calls[2] == 0:
            wire.disturb_always("/api/", refuse_connection)
        return await leaf(item)

    policy = FanOutPolicy(max_in_flight=1)
    async with deployed(prefect_client, then_unplug) as toy:
        parent = await new_parent(prefect_client)
        with no_client_retries(), pytest.raises(httpx.ConnectError):
            await asyncio.wait_for(parent.execute(toy.inline(5, policy)), 60)
        assert leaf.calls == {0: 1, 1: 1, 2: 1}
        wire.allow()
        await parent.execute(toy.inline(5, policy))
        states = await toy.states()
    assert parent.run_set.counts() == {Outcome.COMPLETED: 5}
    # What had been reported is not done again; what could not be is, under its own name.
    assert leaf.calls == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1}
    assert states == {
        0: [COMPLETED],
        1: [COMPLETED],
        2: [StateType.CRASHED, COMPLETED],
        3: [COMPLETED],
        4: [COMPLETED],
    }


async def test_a_slow_server_is_asked_no_more_often_than_a_fast_one(
    prefect_client: PrefectClient,
    wire: Wire,  # noqa: F811
) -> None:
    """Fails when a watcher does not wait for its answer before it asks again."""
    most: dict[str, int] = {}

    def late(path: str) -> Fault:
        under_way = 0

        async def fault(request: httpx.Request, send: Send) -> httpx.Response:
            nonlocal under_way
            under_way += 1
            most[path] = max(most.get(path, 0), under_way)
            await asyncio.sleep(0.1)
            under_way -= 1
            return await send()

        return fault

    async with deployed(prefect_client, Leaf()) as toy:
        parent = await new_parent(prefect_client)
        for path in (BULK_CREATE, "flow_runs/filter", "/set_state"):
            wire.disturb_always(path, late(path))
        before = len(wire.requests)
        await parent.execute(toy.inline(8, FanOutPolicy(max_in_flight=4)))
        wire.allow()
        sent = wire.requests[before:]
        states = await toy.states()
    assert states == {item: [COMPLETED] for item in range(8)}
    assert most[BULK_CREATE] == 1
    assert most.get("flow_runs/filter", 0) <= 1
    assert most["/set_state"] <= 4
    changes = [
        r for r in sent if "/set_state" in r.url.path and str(parent.run.id) not in str(r.url)
    ]
    assert len(changes) == 2 * 8, "Running and Completed, once each"
    assert len([r for r in sent if BULK_CREATE in r.url.path]) == 1


async def test_all_children_share_one_client_and_never_send_more_than_is_allowed_at_once(
    prefect_client: PrefectClient,
    wire: Wire,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails when `execute` lets each engine open a client of its own: 40 and more transports."""
    seen = Counting()
    monkeypatch.setattr(
        httpx.AsyncHTTPTransport,
        "handle_async_request",
        seen.around(httpx.AsyncHTTPTransport.handle_async_request),
    )
    async with deployed(prefect_client, Leaf()) as toy:
        parent = await new_parent(prefect_client)
        seen.transports.clear()
        await parent.execute(toy.inline(40, FanOutPolicy(max_in_flight=8)))
    assert parent.run_set.counts() == {Outcome.COMPLETED: 40}
    # This test's, the parent's engine's and the children's.
    assert len(seen.transports) <= 3
    assert seen.most <= 8 + 1


class Counting:
    """Which connections send, and how many requests are under way at once."""

    def __init__(self) -> None:
        self.transports: set[int] = set()
        self.now = self.most = 0

    def around(self, handle: Callable[..., object]) -> Callable[..., object]:
        async def counted(transport: object, request: httpx.Request) -> object:
            self.transports.add(id(transport))
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                return await handle(transport, request)  # type: ignore[misc]
            finally:
                self.now -= 1

        return counted
