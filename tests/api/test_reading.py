"""Every route answers in the envelope with what is stored."""

from __future__ import annotations

import httpx
import pytest

LISTS = (
    "/v1/symbols", "/v1/signals", "/v1/gaps", "/v1/portfolio", "/v1/portfolio/equity",
    "/v1/positions", "/v1/orders", "/v1/fills", "/v1/reconciliations", "/v1/risk", "/v1/audit",
    "/v1/alerts", "/v1/alerts/states", "/v1/alerts/rules", "/v1/news", "/v1/company/AAPL",
    "/v1/bars/AAPL", "/v1/bars/AAPL?interval=1m", "/v1/bars/AAPL?interval=5m",
    "/v1/indicators/AAPL?interval=5m", "/v1/symbols/AAPL",
)  # fmt: skip


@pytest.mark.parametrize("route", LISTS)
def test_a_route_answers_with_data_and_what_they_are_of(client: httpx.Client, route: str) -> None:
    response = client.get(route)
    assert response.status_code == 200, response.text
    body = response.json()
    assert set(body) == {"data", "meta"}
    assert set(body["meta"]) == {"as_of", "fingerprint", "next", "stale"}
    if route != "/v1/gaps":
        assert body["data"], "nothing was seeded for it"
