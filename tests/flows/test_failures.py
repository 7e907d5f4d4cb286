"""One partition that fails: the others go on, and the commands of the message mend it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from prefect.client.schemas.objects import StateType

from flows.runs.commands import run_command
from tests.flows.conftest import FILES, STRATEGY, Pipeline
from trading.strategies.market_model.parameters import StrategyParameters

IN_THE_WAY = f"BRK-B/{FILES[3]}"
STAMP = "2024-01-02T12:30:00-05:00"


def blocked(pipeline: Pipeline) -> Path:
    """A folder where a partition's file belongs: no user's rights get past it."""
    folder = pipeline.output / IN_THE_WAY
    folder.mkdir(parents=True)
    return folder


def command_in(message: str) -> tuple[str, dict[str, str]]:
    """The deployment and the parameters of the command that a message tells to run."""
    words = shlex.split(message.partition("Redo: ")[2].splitlines()[0])
    words = words[words.index("prefect") :]  # what starts it depends on the shell
    assert words[:3] == ["prefect", "deployment", "run"]
    assert words[4::2] == ["--param"] * len(words[4::2])
    return words[3], dict(word.split("=", 1) for word in words[5::2])


async def test_a_failed_partition_stops_no_other_and_its_command_redoes_it(
    pipeline: Pipeline,
) -> None:
    default = {"strategy": StrategyParameters().model_dump(), "contracts": ["BRK-B", "AAPL"]}
    folder = blocked(pipeline)
    failed = await pipeline.orchestrate(**default)
    assert failed.run.state_type is StateType.FAILED
    assert failed.message.startswith("1 of 16 partitions are not done; redo each with its command.")
    assert f"BRK-B 2024-01-02 12:30 failed: {folder}: it cannot be written" in failed.message
    # The folder in the way is a "Parquet file" by its name alone.
    done = [name for name in pipeline.results() if name != IN_THE_WAY]
    assert len(done) == 15

    children = {run.name: run for run in await pipeline.children(failed.id)}
    assert set(children) == {"validate data", "AAPL", "BRK-B"}, "nothing is aggregated"
    assert children["AAPL"].state_type is StateType.COMPLETED
    assert children["BRK-B"].state_type is StateType.FAILED
    leaves = await pipeline.children(children["BRK-B"].id)
    assert {leaf.name for leaf in leaves if leaf.state_type is not StateType.COMPLETED} == {
        "BRK-B 2024-01-02 12:30"
    }
    assert "Traceback" not in await pipeline.log(failed.id, *[leaf.id for leaf in leaves])

    artifacts = await pipeline.artifacts(failed.id)
    assert artifacts["fan-out-progress"] == 100
    assert "BRK-B  ✓✓✓✗✓✓✓✓\nAAPL   ✓✓✓✓✓✓✓✓" in artifacts["orchestration-summary"]
    deployment, parameters = command_in(failed.message)
    assert deployment == "analyze-time-partition/analyze-time-partition"
    assert parameters == {"contract": "BRK-B", "timestamp": STAMP, **pipeline.folders}
    command = run_command(deployment, parameters)
    assert f"`{command}`" in artifacts["orchestration-summary"]
    symbol = await pipeline.artifacts(children["BRK-B"].id)
    assert f"`{command}`" in symbol["symbol-brk-b"]

    folder.rmdir()
    redone = await pipeline.run(deployment, dict(parameters))
    assert redone.state.is_completed(), redone.message
    assert (pipeline.output / IN_THE_WAY).is_file()
    again = await pipeline.orchestrate(**default)
    summary = await again.value()
    assert (summary.completed, summary.skipped, summary.failed) == (0, 16, 0)
    assert summary.portfolio["contracts"] == 2


async def test_the_same_command_does_only_what_is_missing(pipeline: Pipeline) -> None:
    folder = blocked(pipeline)
    failed = await pipeline.orchestrate(contracts=["BRK-B"], run_validation=False)
    assert failed.run.state_type is StateType.FAILED
    folder.rmdir()
    again = await pipeline.orchestrate(contracts=["BRK-B"], run_validation=False)
    assert again.state.is_completed(), again.message
    summary = await again.value()
    assert (summary.completed, summary.skipped, summary.failed) == (1, 7, 0)
    (symbol,) = [run for run in await pipeline.children(again.id) if run.name == "BRK-B"]
    assert [leaf.name for leaf in await pipeline.children(symbol.id)] == ["BRK-B 2024-01-02 12:30"]


async def test_a_damaged_result_is_made_again(pipeline: Pipeline) -> None:
    coarse = {"grain": "all", "run_validation": False}
    assert (await pipeline.orchestrate(**coarse)).state.is_completed()
    file = pipeline.output / "AAPL" / "all.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    again = await pipeline.orchestrate(**coarse)
    assert (await again.value()).completed == 1
    assert file.stat().st_size == pytest.approx(len(whole), abs=64)


async def test_a_contract_alone_fails_with_the_same_command(pipeline: Pipeline) -> None:
    blocked(pipeline)
    symbol = await pipeline.run(
        "analyze-symbol/analyze-symbol",
        {"contract": "BRK-B", "job_per": "run", "strategy": STRATEGY, **pipeline.folders},
    )
    assert symbol.run.state_type is StateType.FAILED
    assert symbol.message.startswith("1 of 8 partitions are not done")
    _, parameters = command_in(symbol.message)
    assert parameters["timestamp"] == STAMP
    strategy = StrategyParameters.model_validate_json(parameters["strategy"])
    assert strategy == StrategyParameters(**STRATEGY)
