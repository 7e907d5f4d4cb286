"""Hostile input is refused with an envelope, and reads nothing that was not meant."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.app import create_app
from api.services import Services
from database.api.pool import DatabasePool


def refused(response: httpx.Response) -> None:
    assert 400 <= response.status_code < 500, response.text
    error = response.json()["error"]
    assert set(error) == {"code", "message"}
    assert len(error["message"]) < 600


@pytest.mark.parametrize(
    "symbol",
    ["..%2f..%2fetc%2fpasswd", "%2e%2e", "AAPL%00", "aapl", "AAPL'--", "A" * 33, "%F0%9F%92%A9",
     "AAPL%0a", "AAPL;DROP TABLE x", "..", "~root", "$(id)", "AAPL%2F..%2FMSFT"],
)  # fmt: skip
def test_what_is_no_symbol_is_refused(client: httpx.Client, symbol: str) -> None:
    for route in ("bars", "indicators", "company", "symbols"):
        refused(client.get(f"/v1/{route}/{symbol}"))


@pytest.mark.parametrize(
    "query",
    [
        "start=0001-01-01", "end=9999-12-31", "start=2024-01-09&end=2024-01-02", "start=2024-13-01",
        "start=2024-01-02T00:00:00", "start=x", "start=" + "9" * 39, "limit=0", "limit=-1",
        "limit=1000000000", "limit=1e3", "cursor=x", "cursor=%00", "cursor=W10",
        "cursor=" + "A" * 999, "interval=2m", "interval=", "source=../x", "source=none",
        "start=2024-01-02T00:00:00%2B99:00", "cursor=ImFcdTAwMDBiIg",
    ],
)  # fmt: skip
def test_ranges_and_cursors_that_make_no_sense_are_refused(
    client: httpx.Client, query: str
) -> None:
    refused(client.get(f"/v1/bars/AAPL?interval=1d&{query}"))


@pytest.mark.parametrize(
    "path",
    ["/v1/signals?symbol=' OR 1=1", "/v1/orders?state=x", "/v1/orders?account=%00",
     "/v1/orders/..%2f..%2fx", "/v1/alerts?subject=%00", "/v1/runs/1",
     "/v1/indicators/AAPL?strategy=../..",
     "/v1/indicators/AAPL?strategy=none", "/v1/news?label=x", "/v1/symbols?text=%00",
     "/v1/alerts?cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDhd", "/v1/", "/v2/bars/AAPL",
     "/v1/alerts?cursor=WyJhXHUwMDAwIiwiYiJd"],
)  # fmt: skip
def test_filters_that_make_no_sense_are_refused(client: httpx.Client, path: str) -> None:
    refused(client.get(path))


@pytest.mark.parametrize(
    ("query", "named"),
    [("bars/AAPL?from=2024-01-02", "from='2024-01-02' is not"), ("bars/AAPL?Interval=5m", "Interv"),
     ("orders?symbols=AAPL", "symbols"), ("health?account=x", "takes none"),
     ("signals?a%0ab=1", "a\\nb")],
)  # fmt: skip
def test_a_misspelt_parameter_is_refused_and_not_left_out_unseen(
    client: httpx.Client, query: str, named: str
) -> None:
    response = client.get(f"/v1/{query}")
    refused(response)
    assert response.status_code == 422
    assert named in response.json()["error"]["message"]


def test_a_body_that_is_no_json_is_called_that(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    response = client.post("/v1/risk/kill", content="{account: 1}", headers=headers)
    refused(response)
    assert response.json()["error"]["message"].startswith("The body is no JSON (")


def test_a_range_of_a_thousand_years_is_read_a_page_at_a_time(client: httpx.Client) -> None:
    body = client.get("/v1/bars/AAPL?interval=1m&start=1900-01-01&end=2199-01-01&limit=10").json()
    assert len(body["data"]) == 10
    assert body["meta"]["next"]


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_of_ten_megabytes_is_refused(client: httpx.Client, announced: bool) -> None:  # noqa: FBT001
    chunk = b"x" * 65_536
    content = chunk * 160 if announced else (chunk for _ in range(160))
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    try:
        response = client.post("/v1/risk/kill", content=content, headers=headers)
    except httpx.WriteError:
        return  # the server had answered and closed before all of it was sent
    assert response.json()["error"]["code"] == "body_too_large"


def test_pages_together_are_the_whole_list(client: httpx.Client) -> None:
    for route in ("/v1/orders", "/v1/signals", "/v1/news", "/v1/alerts", "/v1/gaps?state=open"):
        joint = "&" if "?" in route else "?"
        whole = client.get(f"{route}{joint}limit=1000").json()["data"]
        paged, cursor = [], ""
        while True:
            body = client.get(f"{route}{joint}limit=3{cursor}").json()
            paged += body["data"]
            if body["meta"]["next"] is None:
                break
            cursor = f"&cursor={body['meta']['next']}"
        assert paged == whole
        assert len(whole) > 3


APP = create_app(
    Services(
        database=DatabasePool("postgresql://nobody@localhost:1/none"),
        lake_dir=".",
        keys_needed=False,
    )
)
SCHEMA = schemathesis.openapi.from_dict(APP.openapi())


@SCHEMA.parametrize()
@settings(
    max_examples=12, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_no_request_made_of_the_description_finds_a_fault(
    client: httpx.Client, case: schemathesis.Case[Any]
) -> None:
    case.call_and_validate(
        base_url=str(client.base_url),
        # What a cursor is, or how two fields belong together, no schema says.
        excluded_checks=[positive_data_acceptance],
        timeout=30,
    )
