"""The commands that a message may ask its reader to run, as they can be pasted into a shell."""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.deploy.deployments import ANALYZE_TIME_PARTITION
from lake.grain import Grain
from lake.market.aggregate import Aggregation
from trading.strategies.market_model.parameters import StrategyParameters

PROJECT = Path(__file__).resolve().parents[2]
"""Where the packages lie: a checkout's folder, or an environment's `site-packages`."""

SHELL_PATH = "TRADING_SHELL_PATH"
"""The variable with the PATH of the user's shell, in processes that have another."""

_DEFAULT_STRATEGY = StrategyParameters().model_dump(mode="json")

_BARE = re.compile(r"[\w/~.^:=+-]+", re.ASCII)
"""Text that Prefect takes as it stands, unless it is JSON."""


def shell_command(program: str, *words: str) -> str:
    """The shell command that starts a program of this installation.

    Args:
        program: `trading` or `prefect`.
        words: Its arguments.
    """
    return shlex.join([*_start_of(program), *words])


def _start_of(program: str) -> list[str]:
    # What uv starts finds its programs on a PATH that the user's shell does not have.
    path = os.environ.get(SHELL_PATH)
    if "UV" not in os.environ and shutil.which(program, path=path) is not None:
        return [program]
    if (PROJECT / "uv.lock").is_file():
        elsewhere = not Path.cwd().is_relative_to(PROJECT)
        return ["uv", "run", *(["--project", str(PROJECT)] if elsewhere else []), program]
    beside = Path(sys.executable).with_name(program)
    return [str(beside) if beside.is_file() else program]


def run_command(deployment: str, parameters: Mapping[str, Any]) -> str:
    """The shell command that runs a deployment with these parameters.

    Args:
        deployment: The full name, `flow/deployment`.
        parameters: JSON-serialisable values.
    """
    words = ["deployment", "run", deployment]
    for name, value in parameters.items():
        words += ["--param", f"{name}={_parameter_text(value)}"]
    return shell_command("prefect", *words)


def _parameter_text(value: object) -> str:
    """A value as `prefect deployment run` reads it: JSON, or text that is none."""
    if isinstance(value, str) and _BARE.fullmatch(value):
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value)


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


def report_commands(aggregation: Aggregation) -> tuple[str, str]:
    """The commands that make a portfolio's page again, and that remove what it left out."""
    wanted = aggregation.wanted
    places = ["--output-dir", aggregation.output_dir, "--input-dir", wanted.input_dir]
    places += ["--grain", wanted.grain.value]
    return shell_command("trading", "report", *places), shell_command("trading", "prune", *places)
