"""Which flow runs count as those of a directory's partitions."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from cli.pipeline.failures import _last


@pytest.mark.parametrize("passed", ["s3://bucket/p", "s3://bucket/p/"])
def test_a_slash_at_the_end_is_no_other_directory(passed: str) -> None:
    run = FlowRun(
        flow_id=uuid4(), name="AAPL", created=datetime.now(UTC), parameters={"output_dir": passed}
    )
    assert _last([run], "s3://bucket/p") == {"AAPL": run}
    assert _last([run], "s3://bucket/q") == {}
