"""A flow that runs inside another's process, as a flow run of its own deployment."""

from collections.abc import Mapping
from typing import Any

from prefect import Flow

from fanout import Child, ChildResult, Outcome, Placement, fan_out
from flows.boundary.errors import StepError


async def run_step(
    deployment: str, step: Flow[..., Any], parameters: Mapping[str, Any]
) -> ChildResult:
    """Run one flow inside this process.

    Args:
        deployment: Its deployment's full name.
        step: The flow.
        parameters: What it is called with.

    Raises:
        StepError: It did not complete.
    """
    child = Child(key=deployment, name=step.name, parameters=parameters)
    # A retried parent asks about the world again: what was valid may have changed.
    run_set = await fan_out(
        [child],
        deployment=deployment,
        placement=Placement.INLINE,
        flow=step,
        satisfied=lambda _: (),
    )
    (result,) = run_set.results
    if result.outcome is not Outcome.COMPLETED:
        raise StepError(deployment, result.outcome.value, result.message)
    return result
