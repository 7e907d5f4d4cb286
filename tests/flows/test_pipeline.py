"""The whole pipeline on a small market: its runs, files and artifacts, and what runs again."""

from __future__ import annotations

import html
import json
from collections import Counter
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect.client.schemas.objects import FlowRun, StateType

from flows.orchestrator_flow import OrchestrationSummary
from lake.grain import Grain
from lake.market.inputs import open_market_data
from lake.market.results import FLOAT_COLUMNS, read_rows
from tests.flows.conftest import BARS, FILES, STRATEGY, Ended, Pipeline
from tests.markets import Market, random_market, session_timestamps
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.market_model.signals import analyze
from trading.strategies.protocol import SIGNAL_NAMES

CONTRACTS = ("AAPL", "BRK-B")
ALL_FILES = [f"{contract}/{file}" for contract in CONTRACTS for file in FILES]


async def summary_of(ended: Ended) -> OrchestrationSummary:
    assert ended.state.is_completed(), ended.message
    summary = await ended.value()
    assert isinstance(summary, OrchestrationSummary)
    return summary


def written(pipeline: Pipeline) -> dict[str, tuple[int, int]]:
    """Inode and modification time of each result file: equal means not written again."""
    found = {name: (pipeline.output / name).stat() for name in pipeline.results()}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}


def rewritten(before: dict[str, tuple[int, int]], pipeline: Pipeline) -> list[str]:
    return [name for name, stat in written(pipeline).items() if before.get(name) != stat]


async def deployment_of(pipeline: Pipeline, run: FlowRun) -> str:
    assert run.deployment_id is not None
    return (await pipeline.client.read_deployment(run.deployment_id)).name


async def test_every_partition_is_a_run_of_its_deployment_below_its_contracts_run(
    pipeline: Pipeline,
) -> None:
    ended = await pipeline.orchestrate()
    summary = await summary_of(ended)
    assert (summary.total, summary.completed, summary.skipped, summary.failed) == (16, 16, 0, 0)
    assert pipeline.results() == ALL_FILES

    children = {run.name: run for run in await pipeline.children(ended.id)}
    assert set(children) == {"validate data", *CONTRACTS, "aggregate portfolio"}
    deployments = {name: await deployment_of(pipeline, run) for name, run in children.items()}
    assert deployments == {
        "validate data": "validate-data", "aggregate portfolio": "aggregate-portfolio",
        "AAPL": "analyze-symbol", "BRK-B": "analyze-symbol",
    }  # fmt: skip
    for contract in CONTRACTS:
        symbol = children[contract]
        assert set(symbol.tags) == {"trading", contract}
        assert symbol.parameters["strategy"] == StrategyParameters(**STRATEGY).model_dump()
        leaves = await pipeline.children(symbol.id)
        assert [leaf.name for leaf in leaves] == [
            f"{contract} 2024-01-02 {bar[:2]}:{bar[2:]}" for bar in BARS
        ]
        for leaf, bar in zip(leaves, BARS, strict=True):
            assert leaf.state_type is StateType.COMPLETED
            assert set(leaf.tags) == {"trading", contract}
            assert await pipeline.children(leaf.id) == []
            stamp = f"2024-01-02T{bar[:2]}:{bar[2:]}:00-05:00"
            assert leaf.parameters == {
                "contract": contract, "timestamp": stamp, "grain": "bar",
                "strategy": symbol.parameters["strategy"], **pipeline.folders,
            }  # fmt: skip
        assert {await deployment_of(pipeline, leaf) for leaf in leaves} == {
            "analyze-time-partition"
        }
        await assert_files_tell_their_runs(pipeline, contract, leaves)


async def assert_files_tell_their_runs(
    pipeline: Pipeline, contract: str, leaves: list[FlowRun]
) -> None:
    for leaf, file in zip(leaves, FILES, strict=True):
        metadata = pq.read_metadata(pipeline.output / contract / file).metadata
        assert metadata[b"flow_run_id"].decode() == str(leaf.id)


async def test_the_stored_rows_are_those_of_the_analysis_of_the_whole_series(
    pipeline: Pipeline,
) -> None:
    await summary_of(await pipeline.orchestrate(run_validation=False))
    market = open_market_data(str(pipeline.input))
    strategy = StrategyParameters(**STRATEGY)
    rows = read_rows(str(pipeline.output))
    for contract in CONTRACTS:
        whole = analyze(market.bars(contract, 0, market.rows, strategy), strategy)
        stored = rows.filter(pa.compute.equal(rows["contract"].cast(pa.string()), contract))
        for name in FLOAT_COLUMNS:
            values = stored[name].to_numpy(zero_copy_only=False).astype(float)
            np.testing.assert_array_equal(values, getattr(whole, name), err_msg=name)
        signals = [SIGNAL_NAMES[int(code)] for code in whole.signal]
        assert stored["signal"].cast(pa.string()).to_pylist() == signals
        assert np.isfinite(whole.beta).sum() == 6, "two of eight bars have too few returns"


async def test_a_split_that_nobody_adjusted_is_told_wherever_the_portfolio_is(
    pipeline: Pipeline,
) -> None:
    market = random_market(session_timestamps(2), contracts=2)
    market.prices[8:, 1] /= 10
    market.write(pipeline.input)
    ended = await pipeline.orchestrate(grain="session")
    summary = await summary_of(ended)
    assert summary.validation is not None
    told = {check.check: check.message for check in summary.validation.warnings}
    split = told["unadjusted_splits"]
    assert split.startswith("1 found, the first: BRK-B at 2024-01-03T14:30:00Z: it jumps overnight")
    assert split.endswith("like an unadjusted split 10 for 1.")
    artifact = (await pipeline.artifacts(ended.id))["orchestration-summary"]
    assert "## Validation: WARN" in artifact
    assert f"| unadjusted_splits | {split} |" in artifact
    page = (pipeline.output / "_portfolio" / "report.html").read_text()
    assert "<h2>Validation: WARN</h2>" in page
    assert f"<dt>unadjusted_splits</dt><dd>{split}</dd>" in page


async def test_artifacts_show_progress_grid_contracts_portfolio_and_validation(
    pipeline: Pipeline,
) -> None:
    ended = await pipeline.orchestrate()
    portfolio = (await summary_of(ended)).portfolio
    assert portfolio is not None
    own = await pipeline.artifacts(ended.id)
    assert set(own) == {"fan-out-progress", "orchestration-summary"}
    assert own["fan-out-progress"] == 100
    assert "AAPL   ✓✓✓✓✓✓✓✓\nBRK-B  ✓✓✓✓✓✓✓✓" in own["orchestration-summary"]
    assert "├── AAPL: 8 computed, 0 up to date, 0 failed" in own["orchestration-summary"]
    assert "| 16 | 16 | 0 | 0 |" in own["orchestration-summary"]

    children = {run.name: run.id for run in await pipeline.children(ended.id)}
    found = {name: await pipeline.artifacts(run) for name, run in children.items()}
    assert {name: set(artifacts) for name, artifacts in found.items()} == {
        "AAPL": {"symbol-aapl"},
        "BRK-B": {"symbol-brk-b"},
        "validate data": {"validation-report"},
        "aggregate portfolio": {
            "portfolio-summary", "portfolio-contracts", "portfolio-timeseries",
        },
    }  # fmt: skip
    assert "| 8 | 8 | 0 | 0 |" in found["AAPL"]["symbol-aapl"]
    assert found["validate data"]["validation-report"].startswith("# Validation: PASS")
    table = json.loads(found["aggregate portfolio"]["portfolio-contracts"])
    assert sum(row["trades"] for row in table) == portfolio["trades"] > 0
    series = json.loads(found["aggregate portfolio"]["portfolio-timeseries"])
    assert (series[-1]["equity"] - 1) * 100 == pytest.approx(portfolio["total_pnl_pct"], rel=1e-12)
    stored = pq.read_table(pipeline.output / "_portfolio" / "portfolio.parquet").to_pylist()
    assert stored == [portfolio]
    shown = found["aggregate portfolio"]["portfolio-summary"]
    report = pipeline.output / "_portfolio" / "report.html"
    assert report.as_uri() in shown
    assert shown.count("](data:image/png;base64,") == 2
    page = html.unescape(report.read_text())
    assert "the last run: 16 computed, 0 up to date, 0 failed of 16" in page
    assert "prefect deployment run trading-orchestrator/orchestrator --param 'contracts=" in page


@pytest.mark.soak
async def test_a_second_run_does_nothing_and_a_change_exactly_what_depends_on_it(
    pipeline: Pipeline, small_market: Market
) -> None:
    await summary_of(await pipeline.orchestrate())
    before = written(pipeline)

    again = await pipeline.orchestrate()
    summary = await summary_of(again)
    assert (summary.total, summary.completed, summary.skipped) == (16, 0, 16)
    names = Counter(run.name for run in await pipeline.children(again.id))
    assert names == {"validate data": 1, "aggregate portfolio": 1}
    assert summary.portfolio is not None
    assert rewritten(before, pipeline) == []

    # BRK-B's third price: itself and, through the returns of the window, three bars after it.
    small_market.with_price(2, 1, 101.0).write(pipeline.input)
    lost = ["AAPL/20240102_103000.parquet", "BRK-B/20240102_160000.parquet"]
    for name in lost:
        (pipeline.output / name).unlink()
    changed = [f"BRK-B/{file}" for file in FILES[2:6]]
    some = await pipeline.orchestrate()
    summary = await summary_of(some)
    assert (summary.completed, summary.skipped) == (6, 10)
    assert rewritten(before, pipeline) == sorted([*lost, *changed])
    assert await leaf_names(pipeline, some.id) == {
        "AAPL": ["AAPL 2024-01-02 10:30"],
        "BRK-B": [f"BRK-B 2024-01-02 {t}" for t in ("11:30", "12:30", "13:30", "14:30", "16:00")],
    }
    summary_artifact = (await pipeline.artifacts(some.id))["orchestration-summary"]
    assert "AAPL   ·✓······\nBRK-B  ··✓✓✓✓·✓" in summary_artifact


async def leaf_names(pipeline: Pipeline, orchestrator: UUID) -> dict[str, list[str]]:
    symbols = [r for r in await pipeline.children(orchestrator) if "contract" in r.parameters]
    return {s.name: [leaf.name for leaf in await pipeline.children(s.id)] for s in symbols}


async def test_reprocessing_redoes_what_is_up_to_date(pipeline: Pipeline) -> None:
    coarse = {"grain": "session", "run_validation": False}
    await summary_of(await pipeline.orchestrate(**coarse))
    before = written(pipeline)
    summary = await summary_of(await pipeline.orchestrate(**coarse, reprocess=True))
    assert (summary.completed, summary.skipped) == (2, 0)
    assert rewritten(before, pipeline) == ["AAPL/20240102.parquet", "BRK-B/20240102.parquet"]


@pytest.mark.soak
async def test_another_strategy_redoes_everything_but_another_cost_nothing(
    pipeline: Pipeline,
) -> None:
    coarse = {"grain": "all", "run_validation": False}
    first = await summary_of(await pipeline.orchestrate(**coarse))
    dear = await summary_of(
        await pipeline.orchestrate(**coarse, strategy=STRATEGY | {"cost_bps": 50})
    )
    assert (dear.completed, dear.skipped) == (0, 2)
    assert first.portfolio is not None
    assert dear.portfolio is not None
    assert dear.portfolio["total_pnl_pct"] < first.portfolio["total_pnl_pct"]
    eager = STRATEGY | {"base_threshold_pct": 0.01}
    other = await summary_of(await pipeline.orchestrate(**coarse, strategy=eager))
    assert (other.completed, other.skipped) == (2, 0)


@pytest.fixture
def two_years() -> Market:
    """AAPL and BRK-B: four bars on the last session of 2023, four on the first of 2024."""
    days = [session_timestamps(1, start)[:4] for start in ("2023-12-29", "2024-01-02")]
    return random_market(np.concatenate(days), contracts=2)


GRAIN_FILES = {
    Grain.SESSION: ["20231229", "20240102"],
    Grain.MONTH: ["2023-12", "2024-01"],
    Grain.YEAR: ["2023", "2024"],
    Grain.ALL: ["all"],
}


async def test_every_grain_gives_the_same_rows(
    pipeline: Pipeline, two_years: Market, tmp_path: Path
) -> None:
    two_years.write(pipeline.input)
    plain = {"contracts": ["BRK-B"], "run_validation": False, "run_aggregation": False}
    await summary_of(await pipeline.orchestrate(**plain))
    assert len(pipeline.results()) == 8
    wanted = read_rows(str(pipeline.output))
    for grain, stems in GRAIN_FILES.items():
        output = tmp_path / grain.value
        asked = {"grain": grain.value, "output_dir": str(output)}
        summary = await summary_of(await pipeline.orchestrate(**plain, **asked))
        assert summary.completed == len(stems)
        assert sorted(p.stem for p in (output / "BRK-B").iterdir()) == stems
        rows = read_rows(str(output))
        for name in FLOAT_COLUMNS:
            np.testing.assert_allclose(
                rows[name].to_numpy(), wanted[name].to_numpy(), rtol=1e-9, atol=0, err_msg=name
            )
        for name in ("timestamp", "contract", "signal"):
            assert rows[name].to_pylist() == wanted[name].to_pylist()


@pytest.mark.soak
async def test_a_grain_of_its_own_is_computed_beside_another(pipeline: Pipeline) -> None:
    plain = {"contracts": ["AAPL"], "run_validation": False}
    ended = await pipeline.orchestrate(**plain, grain="session")
    assert ended.run.name == "1 contract by session"
    first = await summary_of(ended)
    second = await summary_of(await pipeline.orchestrate(**plain, grain="all"))
    assert (second.completed, second.skipped) == (1, 0)
    assert pipeline.results() == ["AAPL/20240102.parquet", "AAPL/all.parquet"]
    assert first.portfolio is not None
    assert second.portfolio == {**first.portfolio, "orphaned_results": 1}, "each bar counts once"


async def test_a_contract_alone_and_a_partition_alone(pipeline: Pipeline) -> None:
    symbol = await pipeline.run(
        "analyze-symbol/analyze-symbol",
        {"contract": "AAPL", "grain": "session", "strategy": STRATEGY, **pipeline.folders},
    )
    assert symbol.state.is_completed()
    assert symbol.run.name == "AAPL"
    assert (await symbol.value()).completed == 1
    later = {"contract": "AAPL", "timestamp": "2024-01-02T20:30:00Z"}
    leaf = await pipeline.run(
        "analyze-time-partition/analyze-time-partition",
        {**later, "strategy": STRATEGY, **pipeline.folders},
    )
    assert leaf.run.name == "AAPL 2024-01-02 15:30"
    assert (await leaf.value()).rows == 1
    assert pipeline.results() == ["AAPL/20240102.parquet", "AAPL/20240102_153000.parquet"]
    portfolio = await pipeline.run(
        "aggregate-portfolio/aggregate-portfolio", {**pipeline.folders, "grain": "session"}
    )
    assert (await portfolio.value())["bars"] == 8
