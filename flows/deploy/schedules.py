"""When deployments run by themselves, as `prefect.yaml` says and a server has it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule

from flows.deploy.wiring import CronDefinition, DeploymentDefinition


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a server lacks.

    Attributes:
        what: What is missing or different, and how, for people.
        make: Makes it so.
    """

    what: str
    make: Callable[[], Awaitable[object]]


def schedule_of(cron: CronDefinition, *, active: bool) -> DeploymentScheduleCreate:
    """The schedule as a new deployment is given it."""
    schedule = CronSchedule(cron=cron.cron, timezone=cron.timezone)
    return DeploymentScheduleCreate(schedule=schedule, active=active, slug=cron.slug)


def schedule_changes(
    client: PrefectClient,
    name: str,
    existing: DeploymentResponse,
    definition: DeploymentDefinition,
    on: bool | None,
) -> list[Change]:
    """What our schedules lack; those that somebody else gave the deployment are left alone."""
    found = {schedule.slug: schedule for schedule in existing.schedules}
    changes = []
    for cron in definition.schedules:
        here = found.get(cron.slug)
        if here is None:
            new = schedule_of(cron, active=bool(on))
            create = partial(client.create_deployment_schedules, existing.id, [new])
            changes.append(Change(f"deployment {name}: schedule {cron.slug} missing", create))
            continue
        update: dict[str, Any] = {}
        wanted = CronSchedule(cron=cron.cron, timezone=cron.timezone)
        if here.schedule != wanted:
            update["schedule"] = wanted
        if on is not None and here.active != on:
            update["active"] = on
        if update:
            make = partial(client.update_deployment_schedule, existing.id, here.id, **update)
            what = f"deployment {name}: schedule {cron.slug} has another {', '.join(update)}"
            changes.append(Change(what, make))
    return changes
