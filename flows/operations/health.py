"""`health`: look at every service of the installation and say how it does."""

import asyncio

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.settings import settings
from flows.operations.health_checks import check_all, named_place
from flows.runs import rendering
from trading.operations.health import Condition, Health


@flow(name="health", flow_run_name="health")
@domain_errors_fail_run
@documented
async def health() -> State[Health]:
    """Check services, database, bus, places, disks, queues and schedules.

    Ends Failed when something is down, and Completed with a message when somebody should look.
    """
    found = await asyncio.to_thread(check_all, settings(), named_place(settings()))
    rows = [(check.name, check.condition.value, check.message) for check in found.checks]
    await acreate_markdown_artifact(
        "# Health\n\n" + rendering.table(("what", "condition", "found"), rows),
        key="health",
        description=f"{found.condition.value} at {found.at:%Y-%m-%d %H:%M} UTC",
    )
    for check in found.checks:
        if check.condition in {Condition.WARN, Condition.DOWN}:
            get_run_logger().warning("%s: %s", check.name, check.message)
    if found.condition is Condition.DOWN:
        down = [c.name for c in found.checks if c.condition is Condition.DOWN]
        return Failed(message=f"down: {', '.join(down)}", data=found)
    return Completed(message=found.condition.value, data=found)
