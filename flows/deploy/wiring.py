"""What `prefect.yaml` says: the deployments, and the variables of their jobs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from trading.errors import ParameterError

Template = Mapping[str, Any]
"""A work pool's base job template: `variables`, a JSON schema, and `job_configuration`."""


DEFINITIONS = Path(__file__).with_name("prefect.yaml")
"""A link to the project's `prefect.yaml`, which becomes a file of the package when it is built."""


@dataclass(frozen=True, slots=True)
class CronDefinition:
    """When a deployment runs by itself.

    Attributes:
        slug: Its name among the deployment's schedules, by which it is found again.
        cron: Minute, hour, day of month, month, day of week.
        timezone: Whose clock the hours are of.
    """

    slug: str
    cron: str
    timezone: str


@dataclass(frozen=True, slots=True)
class DeploymentDefinition:
    """One deployment of `prefect.yaml`.

    Attributes:
        name: The deployment's name, without its flow's.
        entrypoint: Its flow, as `module.function`.
        description: What it does, for people.
        tags: Its tags.
        work_queue: The queue of the work pool in which its runs wait.
        job_variables: Variables of its jobs that differ from the work pool's defaults.
        schedules: When it runs by itself, once schedules are on.
    """

    name: str
    entrypoint: str
    description: str
    tags: tuple[str, ...]
    work_queue: str
    job_variables: Mapping[str, Any] = field(default_factory=dict)
    schedules: tuple[CronDefinition, ...] = ()


def deployment_definitions(file: Path | None = None) -> list[DeploymentDefinition]:
    """The deployments that `prefect.yaml` defines, in its order.

    Args:
        file: Another file of the same form.
    """
    path = file or DEFINITIONS
    return [
        DeploymentDefinition(
            name=entry["name"],
            entrypoint=entry["entrypoint"],
            description=entry["description"],
            tags=tuple(entry["tags"]),
            work_queue=entry["work_pool"]["work_queue_name"],
            job_variables=entry["work_pool"].get("job_variables", {}),
            schedules=tuple(
                CronDefinition(schedule["slug"], schedule["cron"], schedule["timezone"])
                for schedule in entry.get("schedules", ())
            ),
        )
        for entry in yaml.safe_load(path.read_text())["deployments"]
    ]


@dataclass(frozen=True, slots=True)
class JobVariables:
    """Job variables that an installation sets, beside those of `prefect.yaml`.

    Attributes:
        everywhere: For every deployment.
        of_one: Deployment name -> for that deployment alone.
    """

    everywhere: Mapping[str, Any] = field(default_factory=dict)
    of_one: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, definition: DeploymentDefinition, template: Template) -> dict[str, Any]:
        """All variables of one deployment's jobs.

        Those of `prefect.yaml` that the template does not know are meant for other types of
        work pools and left out.
        """
        known = template.get("variables", {}).get("properties")
        own = {
            name: value
            for name, value in definition.job_variables.items()
            if known is None or name in known
        }
        return _merged(_merged(own, self.everywhere), self.of_one.get(definition.name, {}))


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`; objects such as `env` are merged name by name."""
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[name] = {**below, **value} if both else value  # type: ignore[dict-item]
    return merged


def parsed_job_variables(
    texts: list[str], definitions: list[DeploymentDefinition], template: Template
) -> JobVariables:
    """Job variables from text, `[DEPLOYMENT:]NAME=VALUE`.

    A value is taken as it is where the template wants a string, and as YAML otherwise. `env.NAME`
    names a part of an object. No message repeats a value: it may be a secret.

    Raises:
        ParameterError: The text has another form, names no deployment, or a variable that the
            template does not declare, which would have no effect.
    """
    everywhere: dict[str, Any] = {}
    of_one: dict[str, dict[str, Any]] = {}
    names = [definition.name for definition in definitions]
    for text in texts:
        left, equals, value = text.partition("=")
        deployment, colon, variable = left.rpartition(":")
        if not equals or not variable:
            allowed = "of the form NAME=VALUE or DEPLOYMENT:NAME=VALUE"
            raise ParameterError("job-variable", left, allowed, "correct it")
        if colon and deployment not in names:
            raise ParameterError(
                "job-variable", left, f"for one of {', '.join(names)}", "correct the deployment"
            )
        target = of_one.setdefault(deployment, {}) if colon else everywhere
        target |= _merged(target, _parsed(variable, value, template))
    return JobVariables(everywhere, of_one)


def _parsed(variable: str, value: str, template: Template) -> dict[str, Any]:
    declared = template.get("variables", {}).get("properties", {})
    name, dot, part = variable.partition(".")
    if declared and name not in declared:
        allowed = f"a variable of the base job template: {', '.join(sorted(declared))}"
        raise ParameterError("job-variable", variable, allowed, "correct the name")
    if dot:
        return {name: {part: value}}
    if "string" in _types(declared.get(name, {})):
        return {name: value}
    try:
        return {name: yaml.safe_load(value)}
    except yaml.YAMLError:
        raise ParameterError("job-variable", variable, "set to YAML", "quote its value") from None


def _types(schema: Mapping[str, Any]) -> set[str]:
    """The JSON types that a variable's schema allows; none named means any."""
    choices = [schema, *schema.get("anyOf", [])]
    return {choice["type"] for choice in choices if "type" in choice}
