"""Job variables: what prefect.yaml says, what an installation says, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from flows.deploy.wiring import JobVariables, deployment_definitions, parsed_job_variables
from trading.errors import ParameterError

TEMPLATE: dict[str, Any] = {
    "variables": {
        "properties": {
            "image": {"type": "string"},
            "cpu_limit": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "seconds": {"type": "integer"},
            "volumes": {"type": "array"},
            "env": {"type": "object"},
            "command": {"type": "string"},
        }
    }
}


def parsed(*texts: str) -> JobVariables:
    return parsed_job_variables(list(texts), deployment_definitions(), TEMPLATE)


def test_values_are_taken_as_the_template_wants_them() -> None:
    made = parsed("image=a:1", "cpu_limit=1", "seconds=7", "volumes=[{name: tmp}]", "env.X=1=2")
    assert made.everywhere == {
        "image": "a:1", "cpu_limit": "1", "seconds": 7, "volumes": [{"name": "tmp"}],
        "env": {"X": "1=2"},
    }  # fmt: skip


def test_a_deployments_own_comes_over_what_is_for_all_and_over_prefect_yaml() -> None:
    made = parsed("env.X=1", "env.Y=2", "orchestrator:env.Y=3", "orchestrator:command=mine")
    by_name = {definition.name: definition for definition in deployment_definitions()}
    assert made.of(by_name["orchestrator"], TEMPLATE) == {
        "env": {"X": "1", "Y": "3"}, "command": "mine",
    }  # fmt: skip
    leaf = made.of(by_name["analyze-time-partition"], TEMPLATE)
    assert leaf["env"] == {"X": "1", "Y": "2"}
    assert leaf["command"].split() == [
        "python", "-m", "flows.job", by_name["analyze-time-partition"].entrypoint,
    ]  # fmt: skip
    # Of prefect.yaml's, those that this pool's template does not declare are left out.
    nothing_declared: dict[str, Any] = {"variables": {"properties": {}}}
    assert "command" not in parsed().of(by_name["analyze-time-partition"], nothing_declared)
    assert "command" in parsed().of(by_name["analyze-time-partition"], {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image", "of the form NAME=VALUE"),
        ("=secret", "of the form NAME=VALUE"),
        ("imag=secret", "a variable of the base job template: command"),
        ("orchestrater:image=secret", "for one of orchestrator, "),
        ("volumes=[secret", "set to YAML"),
    ],
)
def test_what_would_have_no_effect_is_refused_without_its_value(text: str, said: str) -> None:
    with pytest.raises(ParameterError) as refused:
        parsed(text)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)
