"""One plan per process: what an orchestrator knows is handed to the runs inside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.flow_engine import run_flow_async
from prefect.states import Pending

from fanout import Progress
from flows.analyze_symbol_flow import HandedPlans, analyze_symbol_flow
from flows.orchestrator_flow import trading_orchestrator_flow
from lake.dataset import Wanted
from lake.keys import Partition
from lake.market.dataset import RESULTS, MarketResults
from lake.market.request import MarketRequest
from lake.planning import plan
from storage.directory import Directory
from tests.flows.conftest import STRATEGY, Pipeline
from tests.markets import request_of
from trading.strategies.market_model.parameters import StrategyParameters


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the partitions of each contract were listed and fingerprinted."""
    counted: Counter[str] = Counter()
    wanted = MarketResults.wanted

    def counting(
        self: MarketResults, request: MarketRequest, symbol: str
    ) -> list[Wanted[Partition]]:
        counted[symbol] += 1
        return wanted(self, request, symbol)

    monkeypatch.setattr(MarketResults, "wanted", counting)
    return counted


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were written to see whether any can be."""
    written: list[str] = []
    write = Directory.write_bytes

    def noting(self: Directory, name: str, content: bytes | memoryview) -> None:
        written.extend([name] if name.startswith(".probe") else [])
        write(self, name, content)

    monkeypatch.setattr(Directory, "write_bytes", noting)
    return written


class Follower:
    """Follows a run as a command does."""

    def __init__(self) -> None:
        self.due: dict[str, int] = {}
        self.last: dict[str, int] = {}

    def planned(self, due: Mapping[str, int]) -> None:
        self.due = dict(due)

    def ended(self, contract: str, progress: Progress) -> None:
        assert self.last.get(contract, 0) < progress.done
        self.last[contract] = progress.done


async def test_a_contract_is_planned_once_and_the_output_looked_at_once(
    pipeline: Pipeline, planned: Counter[str], probes: list[str]
) -> None:
    ended = await pipeline.orchestrate(grain="session")
    assert ended.state.is_completed(), ended.message
    assert planned == {"AAPL": 1, "BRK-B": 1}
    assert len(probes) == 1


async def test_a_command_follows_the_run_in_its_process_and_vouches_for_the_output(
    pipeline: Pipeline, probes: list[str]
) -> None:
    follower = Follower()
    flow = trading_orchestrator_flow(follower, writable=str(pipeline.output))
    state = await executed(
        pipeline, flow, "trading-orchestrator/orchestrator",
        {"num_contracts": 2, "job_per": "run", "strategy": STRATEGY, **pipeline.folders},
    )  # fmt: skip
    assert state.is_completed(), state.message
    assert follower.due == follower.last == {"AAPL": 8, "BRK-B": 8}
    assert probes == []


async def test_a_plan_is_handed_over_once_and_the_next_attempt_makes_its_own(
    pipeline: Pipeline, planned: Counter[str]
) -> None:
    """Fails when a second attempt does again what the first one has done."""
    strategy = StrategyParameters.model_validate(STRATEGY)
    request = request_of(str(pipeline.input), str(pipeline.output), strategy=strategy)
    (made,) = plan(RESULTS, request)
    planned.clear()
    told: list[tuple[str, int]] = []

    async def observe(contract: str, progress: Progress) -> None:
        told.append((contract, progress.done))

    flow = analyze_symbol_flow(HandedPlans({"AAPL": made}, observe))
    parameters = {"contract": "AAPL", "strategy": STRATEGY, **pipeline.folders}
    name = "analyze-symbol/analyze-symbol"
    first = await (await executed(pipeline, flow, name, parameters)).aresult()
    assert (first.completed, first.skipped, planned["AAPL"]) == (8, 0, 0)
    assert told == [("AAPL", done) for done in range(1, 9)]
    second = await (await executed(pipeline, flow, name, parameters)).aresult()
    assert (second.completed, second.skipped, planned["AAPL"]) == (0, 8, 1)


async def executed(
    pipeline: Pipeline,
    flow: Any,
    deployment: str,
    parameters: dict[str, Any],
) -> State[Any]:
    """Create a run of a deployment and execute it with this flow."""
    found = await pipeline.client.read_deployment_by_name(deployment)
    run = await pipeline.client.create_flow_run_from_deployment(
        found.id, parameters=parameters, state=Pending()
    )
    state = await run_flow_async(
        flow, flow_run=run, parameters=dict(run.parameters), return_type="state"
    )
    assert isinstance(state, State)
    return state
