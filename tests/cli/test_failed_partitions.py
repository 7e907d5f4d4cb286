"""Failed partitions as a real Prefect server knows them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State
from prefect.states import Completed, Crashed, Failed, Running

from cli.failed_partitions import FailedPartitions


@flow(name="gold-partition")
def gold_partition() -> None:
    """A partition of gold."""


@flow(name="gold")
def gold() -> None:
    """No partition."""


async def ended(client: PrefectClient, of: object, name: str, state: State[None]) -> None:
    run = await client.create_flow_run(of, name=name, state=Running())  # type: ignore[arg-type] # either flow
    await client.set_flow_run_state(run.id, state, force=True)


def failed(api_url: str, marker: str) -> dict[str, str]:
    survey = FailedPartitions(api_url)(datetime.now(UTC))
    assert survey is not None
    return {f.subject: f.detail for f in survey.findings if marker in f.subject}


async def test_a_partition_is_failed_until_it_has_completed(
    prefect_client: PrefectClient, prefect_server: str
) -> None:
    marker = uuid4().hex
    names = [f"{marker} {name}" for name in ("failed", "crashed", "again", "fine", "parent")]
    await ended(prefect_client, gold_partition, names[0], Failed())
    await ended(prefect_client, gold_partition, names[1], Crashed())
    await ended(prefect_client, gold_partition, names[2], Failed())
    await ended(prefect_client, gold_partition, names[2], Completed())
    await ended(prefect_client, gold_partition, names[3], Completed())
    await ended(prefect_client, gold, names[4], Failed())
    assert failed(prefect_server, marker) == {
        names[0]: f"The partition {names[0]} failed",
        names[1]: f"The partition {names[1]} crashed",
    }
    await ended(prefect_client, gold_partition, names[0], Completed())
    assert list(failed(prefect_server, marker)) == [names[1]]


def test_a_server_that_does_not_tell_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    look = FailedPartitions("http://127.0.0.1:1/api")
    with caplog.at_level(logging.WARNING):
        assert look(datetime.now(UTC)) is None
        assert look(datetime.now(UTC)) is None
    assert len(caplog.records) == 1
