"""Bad input: one clear sentence, nothing written, and no partition started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect.client.schemas.objects import StateType
from prefect.exceptions import PrefectHTTPStatusError

from tests.flows.conftest import Ended, Pipeline

ORCHESTRATOR = "trading-orchestrator/orchestrator"
SYMBOL = "analyze-symbol/analyze-symbol"
PARTITION = "analyze-time-partition/analyze-time-partition"
AGGREGATE = "aggregate-portfolio/aggregate-portfolio"
VALIDATE = "validate-data/validate-data"

PRICES, VIX, SPX = "spx_holdings_hourly.parquet", "vix_hourly.parquet", "spx_hourly.parquet"
BAR = "2024-01-02T09:30:00-05:00"
NOT_A_NAME = "'../../etc' does not match '^[A-Z0-9^]"
Parameters = dict[str, Any]


def assert_says(message: str, pattern: str) -> None:
    """Hold a message to the parts of a sentence, in their order, with ` ... ` between them."""
    rest = message
    for part in pattern.split(" ... "):
        assert part in rest, message
        rest = rest[rest.index(part) + len(part) :]


async def assert_failed_plainly(pipeline: Pipeline, ended: Ended, pattern: str) -> None:
    """One sentence, no stack trace, no file or folder, and no run of a contract or partition."""
    assert ended.run.state_type is StateType.FAILED
    assert ended.message.endswith(".")
    assert "\n" not in ended.message
    assert ".;" not in ended.message
    assert_says(ended.message, pattern)
    children = await pipeline.children(ended.id)
    assert {child.name for child in children} <= {"validate data"}
    log = await pipeline.log(ended.id, *[child.id for child in children])
    assert ended.message.rsplit(": ", 1)[-1] in log, "the state's sentence is in the log as well"
    assert "Traceback" not in log
    assert not pipeline.output.is_dir()


@pytest.mark.parametrize(
    ("deployment", "parameters", "reason"),
    [
        (ORCHESTRATOR, {"contracts": ["../../etc"]}, f"'contracts[0]' ... {NOT_A_NAME}"),
        (ORCHESTRATOR, {"num_contracts": 0}, "'num_contracts' ... 0 is less than the minimum of 1"),
        (ORCHESTRATOR, {"grain": "week"}, "'grain' ... 'week' is not one of ['bar', 'session',"),
        (ORCHESTRATOR, {"job_per": "pod"}, "'job_per' ... 'pod' is not one of ['run', 'symbol',"),
        (SYMBOL, {}, "'contract' is a required property"),
        (SYMBOL, {"contract": "../../etc"}, f"'contract' ... {NOT_A_NAME}"),
        (PARTITION, {"contract": "../../etc", "timestamp": BAR}, f"'contract' ... {NOT_A_NAME}"),
        (PARTITION, {"contract": "AAPL", "timestamp": BAR, "grain": "week"}, "'grain' ... 'week'"),
        (AGGREGATE, {"cost_bps": -1}, "'cost_bps' ... -1 is less than the minimum of 0"),
    ],
)
async def test_the_server_refuses_to_create_a_run_with(
    pipeline: Pipeline, deployment: str, parameters: Parameters, reason: str
) -> None:
    wanted = await pipeline.client.read_deployment_by_name(deployment)
    with pytest.raises(PrefectHTTPStatusError) as caught:
        await pipeline.client.create_flow_run_from_deployment(wanted.id, parameters=parameters)
    assert_says(caught.value.response.json()["detail"], f"Validation failed ... {reason}")


@pytest.mark.parametrize(
    ("deployment", "parameters", "sentence"),
    [
        (
            ORCHESTRATOR,
            {"contracts": ["BRK-B", "AAPK"]},
            "contract='AAPK' is not one of the 2 contracts in the data; the closest are AAPL.",
        ),
        (
            ORCHESTRATOR,
            {"num_contracts": 3},
            "num_contracts=3 is not between 1 and 2 ... pass num_contracts=2 to take all.",
        ),
        (
            ORCHESTRATOR,
            {"contracts": ["AAPL", "AAPL"]},
            "contracts=['AAPL', 'AAPL'] is not a list of one or more different ... once",
        ),
        (ORCHESTRATOR, {"input_dir": "nowhere://x"}, "input_dir='nowhere://x' is not ... pass a"),
        (
            ORCHESTRATOR,
            {"output_dir": "nowhere://x", "num_contracts": 2},
            "output_dir='nowhere://x' is not ... pass a",
        ),
        (SYMBOL, {"contract": "AAPK"}, "contract='AAPK' is not one of ... closest are AAPL."),
        (
            PARTITION,
            {"contract": "BRKB", "timestamp": BAR},
            "contract='BRKB' is not one of the 2 contracts in the data; the closest are BRK-B.",
        ),
        (
            PARTITION,
            {"contract": "AAPL", "timestamp": "2024-01-02T09:30:00"},
            f"timestamp='2024-01-02T09:30:00' is not time-zone aware; write {BAR} for New York",
        ),
        (
            PARTITION,
            {"contract": "AAPL", "timestamp": "2024-01-02T10:00:00-05:00"},
            f"timestamp='2024-01-02T10:00:00-05:00' is not a bar of the data ... nearest ... {BAR}",
        ),
        (
            PARTITION,
            {"contract": "AAPL", "timestamp": "yesterday"},
            f"timestamp='yesterday' is not an ISO 8601 timestamp; write it like {BAR}.",
        ),
        (VALIDATE, {"input_dir": "/no/such/folder"}, "input_dir='/no/such/folder' is not an exist"),
    ],
)
async def test_a_run_fails_with_one_sentence_about(
    pipeline: Pipeline, deployment: str, parameters: Parameters, sentence: str
) -> None:
    folders = {"input_dir": str(pipeline.input)} if deployment == VALIDATE else pipeline.folders
    ended = await pipeline.run(deployment, {**folders, **parameters})
    await assert_failed_plainly(pipeline, ended, sentence)


async def test_a_strategy_that_contradicts_itself_is_told_before_anything_runs(
    pipeline: Pipeline,
) -> None:
    ended = await pipeline.orchestrate(strategy={"beta_window": 3, "beta_min_periods": 5})
    assert ended.run.state_type is StateType.FAILED
    assert "beta_min_periods=5 is not at most beta_window=3; lower it or widen" in ended.message
    assert await pipeline.children(ended.id) == []
    assert not pipeline.output.exists()


@pytest.mark.parametrize(
    ("deployment", "parameters", "sentence"),
    [
        (
            ORCHESTRATOR,
            {"num_contracts": 2},
            "output_dir='{output}' is not a directory that can be written to; ... File exists",
        ),
        (
            SYMBOL,
            {"contract": "AAPL"},
            "output_dir='{output}' is not a directory that can be written to; ... File exists",
        ),
        (PARTITION, {"contract": "AAPL", "timestamp": BAR}, "{output}/AAPL/20240102_093000.parque"),
    ],
)
async def test_a_file_in_the_place_of_the_output_directory(
    pipeline: Pipeline, deployment: str, parameters: Parameters, sentence: str
) -> None:
    pipeline.output.write_text("mine")
    ended = await pipeline.run(deployment, {**pipeline.folders, **parameters})
    await assert_failed_plainly(pipeline, ended, sentence.format(output=pipeline.output))
    assert pipeline.output.read_text() == "mine"


def rewritten(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], object]:
    """Damage done to a file's table."""
    return lambda path: pq.write_table(change(pq.read_table(path)), path)


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def replaced(column: str, value: object, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    def replace(table: pa.Table) -> pa.Table:
        position = table.schema.get_field_index(column)
        return table.set_column(position, column, pa.array([value] * len(table), kind))

    return replace


def naive(table: pa.Table) -> pa.Table:
    return table.set_column(0, "timestamp", table["timestamp"].cast(pa.timestamp("ns")))


@pytest.mark.parametrize(
    ("file", "damage", "sentence"),
    [
        (PRICES, Path.unlink, "the file does not exist; check input_dir"),
        (VIX, Path.unlink, "the file does not exist; check input_dir"),
        (SPX, Path.unlink, "the file does not exist; check input_dir"),
        (PRICES, lambda path: path.write_bytes(b""), "the file is empty; write the file again"),
        (PRICES, truncated, "the file is damaged or not Parquet; write the file again"),
        (VIX, truncated, "the file is damaged or not Parquet; write the file again"),
        (PRICES, rewritten(lambda t: t.slice(0, 0)), "the file has no rows; write the file again"),
        (
            VIX,
            rewritten(lambda t: t.rename_columns(["timestamp", "CLOSE"])),
            "there is no column 'VIX'; name it 'VIX'.",
        ),
        (
            PRICES,
            rewritten(lambda t: t.rename_columns(["timestamp", "AAPL", "../../etc"])),
            "column '../../etc' is not named like a contract; rename it",
        ),
        (PRICES, rewritten(naive), "column 'timestamp' has no time zone; write aware timestamps"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named_before_anything_is_submitted(
    pipeline: Pipeline, file: str, damage: Callable[[Path], object], sentence: str
) -> None:
    damage(pipeline.input / file)
    ended = await pipeline.orchestrate()
    await assert_failed_plainly(pipeline, ended, f"{pipeline.input}/{file}: ... {sentence}")
    assert await pipeline.children(ended.id) == []


@pytest.mark.parametrize(
    ("file", "damage", "check", "sentence"),
    [
        (
            PRICES,
            lambda t: t.take([1, 0, 2, 3, 4, 5, 6, 7]),
            "order: 1 found",
            "timestamp 2024-01-02T14:30:00Z in row 1 is out of order; sort the file",
        ),
        (
            VIX,
            lambda t: t.take([1, 0, 2, 3, 4, 5, 6, 7]),
            "order: 1 found",
            "timestamp 2024-01-02T14:15:00Z in row 1 is out of order; sort the file",
        ),
        (
            PRICES,
            lambda t: t.take([0, 1, 2, 2, 3, 4, 5, 6]),
            "duplicates: 1 found",
            "timestamp 2024-01-02T16:30:00Z in row 3 is repeated; sort the file",
        ),
        (
            PRICES,
            replaced("BRK-B", None, pa.float64()),
            "empty_series: 1 found, the first: BRK-B: it has no value at all",
            "column 'BRK-B': it holds no price at all; leave the contract out, or ingest",
        ),
        (
            PRICES,
            replaced("AAPL", "185 dollars", pa.string()),
            "availability: 1 found, the first: AAPL",
            "column 'AAPL' holds string values, not numbers; write it as float64.",
        ),
    ],
)
async def test_data_that_cannot_be_used_stop_at_the_gate_and_behind_it(
    pipeline: Pipeline,
    file: str,
    damage: Callable[[pa.Table], pa.Table],
    check: str,
    sentence: str,
) -> None:
    rewritten(damage)(pipeline.input / file)
    gated = await pipeline.orchestrate()
    await assert_failed_plainly(
        pipeline,
        gated,
        f"validate-data/validate-data failed: {pipeline.input}: validation FAILED: ... {check} ... "
        "; correct the data; the artifact validation-report",
    )
    (validation,) = await pipeline.children(gated.id)
    report = (await pipeline.artifacts(validation.id))["validation-report"]
    assert report.startswith("# Validation: FAIL")

    ungated = await pipeline.orchestrate(run_validation=False)
    await assert_failed_plainly(pipeline, ungated, sentence)
