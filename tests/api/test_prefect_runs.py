"""Flow runs on a real Prefect server, as the API sees and starts them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import stamina

from api.prefect_runs import (
    DeploymentMissingError,
    ParametersRefusedError,
    PrefectRuns,
    RunsUnavailableError,
)

pytestmark = pytest.mark.slow

SCHEMA = {
    "type": "object",
    "required": ["symbol"],
    "properties": {"symbol": {"type": "string"}, "days": {"type": "integer"}},
}


def is_busy(error: Exception) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code == 503


@pytest.fixture(scope="module")
def server(prefect_server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=prefect_server + "/", timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def runs(prefect_server: str) -> Iterator[PrefectRuns]:
    made = PrefectRuns(prefect_server)
    yield made
    made.close()


# A server on SQLite that others write to at the same moment says that it is busy.
@stamina.retry(on=is_busy, attempts=10, timeout=60)
def asked(server: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = server.post(path, json=body)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def flow(server: httpx.Client) -> str:
    """The name of a flow with a deployment `it` that takes a symbol and days."""
    name = f"api-{uuid4().hex[:8]}"
    made = asked(server, "flows/", {"name": name})
    deployment = {
        "name": "it", "flow_id": made["id"], "enforce_parameter_schema": True,
        "parameter_openapi_schema": SCHEMA,
    }  # fmt: skip
    asked(server, "deployments/", deployment)
    return name


def test_a_repeated_idempotency_key_starts_no_second_run(runs: PrefectRuns, flow: str) -> None:
    first = runs.start(f"{flow}/it", {"symbol": "AAPL", "days": 3}, "key 1")
    again = runs.start(f"{flow}/it", {"symbol": "AAPL", "days": 3}, "key 1")
    other = runs.start(f"{flow}/it", {"symbol": "AAPL", "days": 3}, "key 2")
    assert again.id == first.id != other.id
    assert (first.state, first.state_type) == ("Scheduled", "SCHEDULED")
    assert first.parameters == {"symbol": "AAPL", "days": 3}
    assert first.start_time is None
    assert "api" in first.tags
    assert abs(first.created - datetime.now(UTC)) < timedelta(hours=1)
    assert runs.one(first.id) == again
    assert {run.id for run in runs.recent(200, 0, flow=flow)} >= {first.id, other.id}


def test_runs_are_listed_the_newest_start_first_by_pages_tags_and_flow(
    server: httpx.Client, runs: PrefectRuns
) -> None:
    name, tag = f"listed-{uuid4().hex[:8]}", f"tag-{uuid4().hex[:8]}"
    flow = asked(server, "flows/", {"name": name})
    made = []
    for number in range(5):
        tags = [tag, "even"] if number % 2 == 0 else [tag]
        run = asked(server, "flow_runs/", {"flow_id": flow["id"], "tags": tags})
        state = {"state": {"type": "RUNNING"}, "force": True}
        asked(server, f"flow_runs/{run['id']}/set_state", state)
        made.append(UUID(run["id"]))
    newest_first = made[::-1]
    assert [run.id for run in runs.recent(200, 0, flow=name)] == newest_first
    pages = [runs.recent(2, offset, [tag]) for offset in (0, 2, 4, 6)]
    assert [[run.id for run in page] for page in pages] == [
        newest_first[:2], newest_first[2:4], newest_first[4:], [],
    ]  # fmt: skip
    assert [run.id for run in runs.recent(200, 0, [tag, "even"])] == made[::-2]
    assert runs.recent(200, 0, [tag], flow="another") == []
    begun = runs.one(made[0])
    assert begun is not None
    assert begun.state_type == "RUNNING"
    assert begun.start_time is not None
    assert begun.end_time is None


def test_a_missing_deployment_is_not_mistaken_for_a_failing_server(
    prefect_server: str, runs: PrefectRuns, flow: str
) -> None:
    assert runs.one(uuid4()) is None
    with pytest.raises(DeploymentMissingError):
        runs.start(f"{flow}/other", {}, "key 3")
    elsewhere = PrefectRuns(prefect_server + "/nowhere")
    with pytest.raises(RunsUnavailableError):
        elsewhere.recent(1, 0)
    elsewhere.close()


@pytest.mark.parametrize(
    "parameters", [{"symbol": "AAPL", "days": "many"}, {"days": 3}, {"symbol": None}]
)
def test_parameters_that_the_flow_does_not_take_are_refused_with_the_reason(
    runs: PrefectRuns, flow: str, parameters: dict[str, Any]
) -> None:
    before = len(runs.recent(200, 0, flow=flow))
    with pytest.raises(ParametersRefusedError) as refused:
        runs.start(f"{flow}/it", parameters, f"key {parameters}")
    assert "symbol" in str(refused.value) or "days" in str(refused.value)
    assert len(runs.recent(200, 0, flow=flow)) == before
