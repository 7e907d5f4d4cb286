from __future__ import annotations

from prefect.client.orchestration import PrefectClient


async def test_the_sessions_server_answers(
    prefect_server: str, prefect_client: PrefectClient
) -> None:
    assert await prefect_client.api_healthcheck() is None
    assert str(prefect_client.api_url).rstrip("/") == prefect_server
