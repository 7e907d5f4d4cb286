"""Schedules as the Prefect server of the locked set reckons them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import anyio
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.schedules import CronSchedule

from tests.waiting import WAIT_SECONDS

RUNS = 3
"""Runs that the server plans ahead at least."""


@pytest.fixture(params=["UTC", "America/New_York"])
async def scheduled(
    prefect_client: PrefectClient, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[UUID, ZoneInfo]]:
    """A deployment with a cron schedule, and its time zone."""
    zone: str = request.param
    flow = await prefect_client.create_flow_from_name("scheduled")
    cron = CronSchedule(cron="30 9 * * 1-5", timezone=zone)
    deployment = await prefect_client.create_deployment(
        flow, f"cron-{zone.replace('/', '-')}", schedules=[DeploymentScheduleCreate(schedule=cron)]
    )
    yield deployment, ZoneInfo(zone)
    await prefect_client.delete_deployment(deployment)


async def test_a_deployment_with_a_cron_schedule_gets_its_scheduled_runs(
    scheduled: tuple[UUID, ZoneInfo], prefect_client: PrefectClient
) -> None:
    deployment, zone = scheduled
    before = _weekdays_at(time(9, 30), zone)
    starts = await _planned(prefect_client, deployment)
    assert starts[:RUNS] in (before, _weekdays_at(time(9, 30), zone))


async def _planned(client: PrefectClient, deployment: UUID) -> list[datetime]:
    """When the server will start runs of the deployment, once it has planned some."""
    ours = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
    with anyio.fail_after(WAIT_SECONDS):
        while True:
            runs = await client.read_flow_runs(deployment_filter=ours)
            planned: list[datetime] = sorted(
                run.expected_start_time for run in runs if run.expected_start_time
            )
            if len(planned) >= RUNS:
                return planned
            await anyio.sleep(0.2)


def _weekdays_at(clock: time, zone: ZoneInfo) -> list[datetime]:
    """The next times at which a clock of the zone shows this on a weekday."""
    now = datetime.now(zone)
    days = [now.date() + timedelta(days=ahead) for ahead in range(10)]
    times = [datetime.combine(day, clock, zone) for day in days if day.weekday() < 5]
    return [start.astimezone(UTC) for start in times if start > now][:RUNS]
