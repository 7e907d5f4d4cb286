from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.states import Completed, Crashed, Failed

from cli.display.progress import PartitionProgress
from cli.pipeline import orchestration
from cli.pipeline.orchestration import _summary, _validation, as_far_as_it_came, watching
from cli.pipeline.run_counts import RunCounts
from cli.pipeline.run_progress import RunProgress
from cli.pipeline.summary import PartitionCounts
from fanout import Outcome, Progress
from flows.boundary.errors import UnfinishedError
from flows.orchestrator_flow import OrchestrationSummary
from servers.errors import CommandError
from servers.readiness import server_errors
from trading.bars.quality.findings import CheckResult, Status, ValidationReport

SUMMARY = OrchestrationSummary(total=3, completed=1, skipped=1, failed=1, portfolio=None)
REQUEST = httpx.Request("POST", "http://127.0.0.1:4200/api/flow_runs/")
REFUSED = httpx.Response(401, request=REQUEST)


@pytest.mark.parametrize(
    ("states", "counts"),
    [
        ({}, PartitionCounts(0, 0, 0, 0)),
        ({"Completed": 5}, PartitionCounts(5, 5, 0, 0)),
        ({"Completed": 5, "Running": 1, "Crashed": 2}, PartitionCounts(8, 5, 0, 3)),
    ],
)
def test_without_a_summary_what_did_not_complete_failed(
    states: Mapping[str, int], counts: PartitionCounts
) -> None:
    assert as_far_as_it_came(states) == counts


async def test_the_summary_is_found_in_completed_and_in_failed_runs() -> None:
    assert await _summary(Completed(data=SUMMARY)) == SUMMARY
    assert await _summary(Failed(data=UnfinishedError("two are missing", SUMMARY))) == SUMMARY


async def test_a_run_that_did_not_come_to_its_end_left_no_summary() -> None:
    assert await _summary(None) is None
    assert await _summary(Crashed(data=SUMMARY)) is None
    assert await _summary(Failed(data=ValueError("grain"))) is None


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            httpx.HTTPStatusError(
                "", request=REQUEST, response=httpx.Response(401, request=REQUEST)
            ),
            "answered 401 Unauthorized to /api/flow_runs/; check its log, and the key",
        ),
        (httpx.ConnectError("refused"), "stopped answering (ConnectError); check that it still"),
    ],
)
def test_a_server_that_refuses_or_is_gone_is_one_sentence(error: Exception, sentence: str) -> None:
    with pytest.raises(CommandError) as caught, server_errors():
        raise error
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


class Shown:
    """A display that keeps what it is given, and a source of counts that fails now and then."""

    def __init__(self) -> None:
        self.looks = 0
        self.seen: list[PartitionProgress] = []

    async def states(self, *_: Any) -> dict[str, int]:
        self.looks += 1
        if self.looks % 2:
            raise httpx.ConnectError("busy")
        return {"Completed": self.looks}

    def phase(self, text: str) -> None:
        raise AssertionError(text)

    def partitions(self, progress: PartitionProgress) -> None:
        self.seen.append(progress)


async def test_a_failed_look_neither_stops_the_watching_nor_the_work(
    prefect_client: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown()
    monkeypatch.setattr(orchestration, "WATCH_SECONDS", 0.0)
    monkeypatch.setattr(RunCounts, "partitions", shown.states)
    counts = RunCounts(prefect_client, uuid4(), datetime.now(UTC))
    told = RunProgress()
    async with watching(told, shown, elsewhere=counts), asyncio.timeout(30):
        for _ in range(10):
            await asyncio.sleep(0)
        assert shown.looks == 0, "nothing is planned yet"
        told.planned({"AAPL": 7, "V": 3})
        while len(shown.seen) < 2:  # noqa: ASYNC110 - the watcher has no event to wait for
            await asyncio.sleep(0)
    assert [(p.completed, p.total) for p in shown.seen[:2]] == [(2, 10), (4, 10)]
    after = shown.looks
    await asyncio.sleep(0)
    assert shown.looks == after


async def test_what_ends_in_this_process_is_shown_without_asking_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown, told = Shown(), RunProgress()
    monkeypatch.setattr(orchestration, "WATCH_SECONDS", 0.0)
    told.planned({"AAPL": 3})
    told.ended("AAPL", Progress(3, Counter({Outcome.COMPLETED: 1, Outcome.CRASHED: 1})))
    async with watching(told, shown, elsewhere=None), asyncio.timeout(30):
        while not shown.seen:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
    seen = shown.seen[0]
    assert (seen.completed, seen.failed, seen.total) == (1, 1, 3)


def test_a_further_attempt_at_a_contract_counts_on() -> None:
    """Its first one computed two and left two; the second has only those to do."""
    told = RunProgress()
    told.planned({"AAPL": 4, "V": 1})
    first = Progress(4)
    for outcome in (Outcome.COMPLETED, Outcome.COMPLETED, Outcome.CANCELLED, Outcome.CANCELLED):
        first.ended[outcome] += 1
        told.ended("AAPL", first)
    told.ended("V", Progress(1, Counter({Outcome.FAILED: 1})))
    assert told.due == 5
    assert told.states() == {"Completed": 2, "Failed": 3}
    told.ended("AAPL", Progress(2, Counter({Outcome.COMPLETED: 1})))
    assert told.states() == {"Completed": 3, "Failed": 1}


def test_the_account_of_validation_is_its_status_and_what_it_found() -> None:
    found = CheckResult("outliers", Status.WARN, "2 found.", 2)
    passed = CheckResult("order", Status.PASS, "Timestamps go forward.")
    report = ValidationReport("/data/input", Status.WARN, (passed, found), ("AAPL",), 24)
    assert _validation(dataclasses.replace(SUMMARY, validation=report)) == {
        "status": "WARN",
        "checks": [{"check": "outliers", "status": "WARN", "count": 2, "message": "2 found."}],
    }
    clean = dataclasses.replace(report, status=Status.PASS, checks=(passed,))
    assert _validation(dataclasses.replace(SUMMARY, validation=clean)) == {
        "status": "PASS",
        "checks": [],
    }
    assert _validation(SUMMARY) == _validation(None) == {}
