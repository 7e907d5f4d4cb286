"""When a flow was meant to run, and what it does of what others do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Annotated, Any

from prefect import Flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import AwareDatetime, Field

from flows.boundary.errors import StepError, UnfinishedError
from flows.runs import rendering
from flows.runs.commands import run_command
from flows.runs.steps import run_step

At = Annotated[
    AwareDatetime | None,
    Field(
        description="The moment that it is about; empty: when it was scheduled.",
        examples=["2026-01-05T18:00:00-05:00"],
    ),
]


def meant_for(at: datetime | None) -> datetime:
    """The moment that a run is about: a late one is about when it should have begun."""
    scheduled: datetime | None = flow_run.scheduled_start_time
    return (at or scheduled or datetime.now(UTC)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """One flow that another runs.

    Attributes:
        deployment: Its deployment's full name.
        flow: Its flow, as `module.function`; imported when its turn comes.
        parameters: What it is called with.
    """

    deployment: str
    flow: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How a step ended.

    Attributes:
        deployment: Its deployment's full name.
        problem: Why it did not complete; empty when it did.
        value: What it returned.
    """

    deployment: str
    problem: str
    value: Any = None


async def run_steps(steps: Sequence[Step]) -> list[StepOutcome]:
    """Run each in turn; one that does not complete stops no other.

    What follows works with what is there: bars of yesterday are better than none.
    """
    outcomes = []
    for step in steps:
        module, _, name = step.flow.rpartition(".")
        found: Flow[..., Any] = getattr(import_module(module), name)
        try:
            result = await run_step(step.deployment, found, step.parameters)
        except StepError as error:
            get_run_logger().error("%s", error)
            outcomes.append(StepOutcome(step.deployment, error.reason or error.outcome))
        else:
            outcomes.append(StepOutcome(step.deployment, "", result.value))
    return outcomes


async def ended(
    title: str, key: str, steps: Sequence[Step], outcomes: Sequence[StepOutcome]
) -> list[StepOutcome]:
    """Publish how the steps ended, and end the run: completed, or Failed with what to redo.

    Raises:
        UnfinishedError: Some did not complete.
    """
    failed = [outcome for outcome in outcomes if outcome.problem]
    text = f"{len(outcomes) - len(failed)} of {len(outcomes)} steps completed"
    rows = [
        (outcome.deployment.partition("/")[0], outcome.problem or "completed")
        for outcome in outcomes
    ]
    again = [
        f"- `{run_command(step.deployment, dict(step.parameters))}`"
        for step, outcome in zip(steps, outcomes, strict=True)
        if outcome.problem
    ]
    parts = [f"# {title}", f"{text}.", rendering.table(("step", "how it ended"), rows)]
    if again:
        parts += ["To do these again:", "\n".join(again)]
    await acreate_markdown_artifact("\n\n".join(parts), key=key, description=text)
    get_run_logger().info("%s", text)
    if failed:
        names = ", ".join(outcome.deployment.partition("/")[0] for outcome in failed)
        raise UnfinishedError(f"{text}; these did not: {names}.", list(outcomes))
    return list(outcomes)
