"""The commands that a message may ask its reader to run."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from lake.grain import Grain

from flows.boundary.parameters import DEFAULT_STRATEGY
from flows.deploy.deployments import ANALYZE_TIME_PARTITION

_DEFAULT_STRATEGY = DEFAULT_STRATEGY.model_dump(mode="json")


def run_command(deployment: str, parameters: Mapping[str, Any]) -> str:
    """The shell command that runs a deployment with these parameters.

    Args:
        deployment: The full name, `flow/deployment`.
        parameters: JSON-serialisable values.
    """
    words = ["prefect", "deployment", "run", deployment]
    for name, value in parameters.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words += ["--param", f"{name}={text}"]
    return shlex.join(words)


def redo_partition(parameters: Mapping[str, Any]) -> str:
    """The command that redoes one partition, given its flow run's parameters."""
    return run_command(ANALYZE_TIME_PARTITION, telling(parameters))


def telling(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without those that say what is the default anyway."""
    told = dict(parameters)
    if told.get("grain") == Grain.BAR:
        del told["grain"]
    if told.get("strategy") == _DEFAULT_STRATEGY:
        del told["strategy"]
    return {name: value for name, value in told.items() if value is not None}
