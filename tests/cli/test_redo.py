"""`trading redo` against a real server: it runs exactly what it is asked for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed, Failed

from cli.pipeline.orchestration import register
from flows.boundary.settings import settings
from flows.deploy.deployments import ANALYZE_TIME_PARTITION
from tests.cli.results import SmallResults, small_results


@pytest.fixture
def results(prefect_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallResults:
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    monkeypatch.setenv("PREFECT_CLIENT_RETRY_EXTRA_CODES", "500,504")
    monkeypatch.setenv("TRADING_SERVER_DIR", str(tmp_path / "server"))
    return small_results(tmp_path)


async def runs_that_ended(results: SmallResults, *states: State[None]) -> None:
    """Leave flow runs of BRK-B's last partition, one after the other."""
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(ANALYZE_TIME_PARTITION)
        for state in states:
            run = await client.create_flow_run_from_deployment(
                deployment.id,
                name="BRK-B 2024-01-03",
                parameters={
                    "contract": "BRK-B",
                    "timestamp": "2024-01-03T09:30:00-05:00",
                    "output_dir": str(results.output),
                },
            )
            await client.set_flow_run_state(run.id, state, force=True)


async def name_of(flow_run: str) -> str:
    async with get_client() as client:
        return (await client.read_flow_run(UUID(flow_run))).name


async def leaves_below(orchestrator: str) -> list[FlowRun]:
    async def below(*parents: str) -> list[FlowRun]:
        wanted = FlowRunFilterParentFlowRunId(any_=list(parents))
        return await client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=wanted))

    async with get_client() as client:
        symbols = await below(orchestrator)
        return await below(*[str(run.id) for run in symbols])


@pytest.mark.soak
def test_exactly_what_is_asked_for_runs(results: SmallResults) -> None:
    register(settings().work_pool, None)
    for name in ("AAPL/20240102", "AAPL/20240103", "BRK-B/20240103"):
        (results.output / f"{name}.parquet").unlink()
    asyncio.run(runs_that_ended(results, Failed(), Completed(), Failed()))
    assert results.answer("status", exit_code=3)["partitions"] == {
        "done": 1, "stale": 0, "missing": 2, "failed": 1,
    }  # fmt: skip
    before = results.files()
    dry = results.answer("redo", "--dry-run", "--only", "missing")
    assert dry["partitions"] == ["AAPL/20240102.parquet", "AAPL/20240103.parquet"]
    assert results.files() == before

    redone = results.answer("redo", "--only", "failed")
    assert redone["status"] == "completed", redone
    assert redone["partitions"] == {"total": 1, "completed": 1, "skipped": 0, "failed": 0}
    orchestrator = redone["orchestrator_flow_run_id"]
    assert asyncio.run(name_of(orchestrator)) == "1 partition by session"
    leaves = asyncio.run(leaves_below(orchestrator))
    assert [run.name for run in leaves] == ["BRK-B 2024-01-03"]
    after = results.files()
    assert after.keys() - before.keys() == {"BRK-B/20240103.parquet"}
    assert after == before | {"BRK-B/20240103.parquet": after["BRK-B/20240103.parquet"]}
    assert redone["portfolio"]["contracts"] == 1, "AAPL has a folder, but no result yet"

    ranged = results.command("redo", "--contracts", "AAPL,BRK-B", "--to", "2024-01-02")
    assert ranged.exit_code == 0, ranged.output
    assert "Flow runs         5 in" in ranged.stdout
    assert results.files().keys() - after.keys() == {"AAPL/20240102.parquet"}
    assert results.answer("status", exit_code=3)["contracts"]["AAPL"]["missing"] == [
        "AAPL/20240103.parquet"
    ]
    nothing = results.command("redo", "--only", "stale")
    assert nothing.exit_code == 0
    assert nothing.stdout == "Nothing is stale.\n"


@pytest.mark.soak
def test_a_portfolio_that_mixes_says_so_and_how_many(results: SmallResults) -> None:
    (results.output / "AAPL" / "20240103.parquet").unlink()
    results.market.with_price(7, 1, 70.0).write(results.input)
    assert results.answer("status", exit_code=3)["partitions"] == {
        "done": 1, "stale": 2, "missing": 1, "failed": 0,
    }  # fmt: skip
    redone = results.command("redo", "--only", "missing")
    assert redone.exit_code == 0, redone.output
    assert "The portfolio mixes: 2 results in it are stale" in redone.stdout
    page = (results.output / "_portfolio" / "report.html").read_text()
    assert "<strong>2 stale:</strong>" in page
    whole = results.answer("redo", "--only", "stale")
    assert {name: n for name, n in whole["portfolio"].items() if name.endswith("_results")} == {
        "stale_results": 0, "missing_results": 0, "orphaned_results": 0,
    }  # fmt: skip
