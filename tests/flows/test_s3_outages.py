"""The whole pipeline on a real S3 server whose connection is cut in the middle of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina

from lake.grain import Grain
from lake.market.compute import run_partition
from lake.market.results import read_rows
from storage.s3 import S3Credentials, use_credentials
from tests.flows.conftest import STRATEGY, Ended, Pipeline
from tests.markets import Market, request_of
from tests.s3 import SessionS3
from tests.s3_wire import Wire
from trading.strategies.market_model.parameters import StrategyParameters


@pytest.fixture
def wire(s3_bucket: str, s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The connection by which the pipeline reaches its bucket."""
    wire = Wire(s3_server.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint_url)
    yield wire
    wire.close()
    use_credentials(S3Credentials())


@pytest.fixture
def places(s3_bucket: str, small_market: Market) -> dict[str, str]:
    """The small market in a bucket, and where its results go."""
    return {
        "input_dir": small_market.write(f"{s3_bucket}/input"),
        "output_dir": f"{s3_bucket}/output",
    }


def assert_equal_to_local(
    pipeline: Pipeline, places: dict[str, str], market: Market, tmp_path: Path
) -> None:
    """The rows in the bucket are those that the same partitions have in a local folder."""
    source, target = str(pipeline.input), str(tmp_path / "local")
    for contract in market.contracts:
        for stamp in market.timestamps:
            at = f"{stamp.astype('datetime64[s]')}+00:00"
            strategy = StrategyParameters(**STRATEGY)
            run_partition(request_of(source, target, contract, Grain.BAR, strategy), at, "local")
    assert read_rows(places["output_dir"]).equals(read_rows(target))


async def counts(ended: Ended) -> tuple[int, int, int]:
    """Completed, skipped and failed partitions of a run that completed."""
    assert ended.state.is_completed(), ended.message
    summary: Any = await ended.value()
    return summary.completed, summary.skipped, summary.failed


@pytest.mark.slow
async def test_a_run_outlasts_an_outage_in_its_middle(
    pipeline: Pipeline, places: dict[str, str], wire: Wire, small_market: Market, tmp_path: Path
) -> None:
    wire.cut_at_result = 6
    wire.back_after = wire.in_vain + 12
    ended = await pipeline.orchestrate(**places)
    assert wire.in_vain >= 12
    assert await counts(ended) == (16, 0, 0)
    assert_equal_to_local(pipeline, places, small_market, tmp_path)


@pytest.mark.slow
async def test_an_outage_for_good_ends_the_run_and_the_next_does_the_rest(
    pipeline: Pipeline, places: dict[str, str], wire: Wire, small_market: Market, tmp_path: Path
) -> None:
    wire.cut_at_result = 6
    with stamina.set_testing(True, attempts=3):  # as often as in a minute, without the minute
        failed = await pipeline.orchestrate(**places)
    assert failed.state.is_failed()
    # The last that was written may not have heard of it.
    left = re.match(r"(\d+) of 16 partitions are not done; redo each with", failed.message)
    assert left is not None
    assert int(left[1]) in {11, 12}
    assert "the store does not answer" in failed.message
    assert re.search(r"Redo: .*prefect deployment run analyze-time-partition", failed.message)
    artifacts = await pipeline.artifacts(failed.id)
    assert "BRK-B" in artifacts["orchestration-summary"]
    assert "Traceback" not in await pipeline.log(failed.id)
    assert wire.results == 5

    wire.plug(connected=True)
    computed, skipped, failures = await counts(await pipeline.orchestrate(**places))
    # A write that was under way when the wire was cut may not have arrived whole.
    assert skipped in {4, 5}
    assert (computed, failures) == (16 - skipped, 0)
    # Its results and three files of the portfolio.
    assert wire.results == 5 + computed + 3
    assert_equal_to_local(pipeline, places, small_market, tmp_path)


@pytest.mark.parametrize(
    ("deployment", "parameters"),
    [
        ("trading-orchestrator/orchestrator", {}),
        ("analyze-time-partition/analyze-time-partition", {"contract": "AAPL", "timestamp": "now"}),
        ("aggregate-portfolio/aggregate-portfolio", {}),
    ],
)
async def test_a_store_that_never_answered_fails_a_run_before_it_does_anything(
    pipeline: Pipeline,
    s3_bucket: str,
    wire: Wire,
    deployment: str,
    parameters: dict[str, str],
) -> None:
    wire.plug(connected=False)
    place = {"output_dir": f"{s3_bucket}/output"}
    ended = await pipeline.run(deployment, {**parameters, **place})
    assert ended.state.is_failed()
    assert ended.message.startswith(f"{s3_bucket}/output: it cannot be read: the store does not")
    assert ended.message.endswith(
        "check AWS_ENDPOINT_URL and that the store is up, then run again."
    )
    assert ended.message.count("\n") == 0
    # Three attempts, of which the client repeats each once by itself.
    assert wire.in_vain <= 2 * 3
    assert await pipeline.children(ended.id) == []
    assert "Traceback" not in await pipeline.log(ended.id)
