"""A year of schedules by a clock of its own: when each fires, and what the market says to it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.server.schemas.schedules import CronSchedule as ServerCron

from flows.boundary.settings import settings
from flows.deploy.registration import Installation, differences, install
from flows.deploy.wiring import CronDefinition, deployment_definitions
from trading.instruments.clock import NEW_YORK

CRONS = {
    f"{definition.name}/{cron.slug}": cron
    for definition in deployment_definitions()
    for cron in definition.schedules
}
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)


CHANGES = (datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
"""The days on which clocks change in New York."""


def firings(cron: CronDefinition, start: datetime = START, end: datetime = END) -> list[datetime]:
    """When the server's own scheduler would start runs, from `start` to before `end`."""
    schedule = ServerCron(cron=cron.cron, timezone=cron.timezone)
    found: list[datetime] = []
    begin = start
    # The scheduler gives at most a thousand at once.
    while more := asyncio.run(schedule.get_dates(n=900, start=begin, end=end)):
        found += [datetime.fromtimestamp(moment.timestamp(), UTC) for moment in more]
        begin = found[-1] + timedelta(seconds=1)
    return [moment for moment in found if moment < end]


@pytest.mark.parametrize("name", [name for name, cron in CRONS.items() if cron.timezone == "UTC"])
def test_what_is_timed_by_utc_skips_nothing_when_clocks_change(name: str) -> None:
    cron = CRONS[name]
    if not cron.cron.startswith("*/"):
        pytest.skip("fires less than once an hour")
    every = timedelta(minutes=int(cron.cron.split(maxsplit=1)[0].removeprefix("*/")))
    for day in CHANGES:
        moments = firings(cron, day, day + timedelta(days=2))
        assert {b - a for a, b in pairwise(moments)} == {every}
        assert len(moments) == timedelta(days=2) / every


@pytest.mark.parametrize("name", [n for n, cron in CRONS.items() if cron.timezone != "UTC"])
def test_what_follows_the_market_fires_at_the_same_hours_of_new_york_all_year(name: str) -> None:
    cron = CRONS[name]
    minutes, hours, _, _, days = cron.cron.split()
    local = [moment.astimezone(NEW_YORK) for moment in firings(cron)]
    assert {moment.minute for moment in local} == {int(minutes)}
    first, _, last = hours.partition("-")
    assert {moment.hour for moment in local} == set(range(int(first), int(last or first) + 1))
    assert days == "1-5"
    assert {moment.weekday() for moment in local} == set(range(5))


async def test_schedules_are_off_until_asked_for_and_others_are_left_alone(
    registered: None, prefect_client: PrefectClient
) -> None:
    pool = settings().work_pool
    on, off = (Installation(work_pool=pool, schedules=value) for value in (True, False))
    as_it_is = Installation(work_pool=pool)

    async def active() -> set[str]:
        found = set()
        for definition in deployment_definitions():
            if not definition.schedules:
                continue
            flow = definition.entrypoint.rpartition(".")[2].replace("_", "-")
            there = await prefect_client.read_deployment_by_name(f"{flow}/{definition.name}")
            found |= {f"{definition.name}/{s.slug}" for s in there.schedules if s.active}
        return found

    assert await active() == set()
    try:
        await install(prefect_client, on)
        assert await active() == set(CRONS)
        assert await differences(prefect_client, on) == []
        assert await differences(prefect_client, as_it_is) == []
        health = await prefect_client.read_deployment_by_name("health/health")
        new = DeploymentScheduleCreate(
            schedule=CronSchedule(cron="0 0 1 1 *", timezone="UTC"), active=True, slug="mine"
        )
        (mine,) = await prefect_client.create_deployment_schedules(health.id, [new])
    finally:
        await install(prefect_client, off)
    assert await active() == {"health/mine"}
    await prefect_client.delete_deployment_schedule(health.id, mine.id)
