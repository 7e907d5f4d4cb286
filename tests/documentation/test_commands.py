"""Every command that a document prints is one that its program takes.

Each program has a check of its own here, and a command of a program without one fails: nothing
that a reader may type is left out. What the commands of this project do is tested by running them:
tests/documentation/test_first_steps.py and tests/flows/test_up.py.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from helm_python import parse_set_string
from prefect.cli._app import _app as prefect_command_line
from typer.main import get_command

from cli.app import app
from flows.boundary.settings import Settings, project_root
from tests.charts.rendering import CHART, render
from tests.documentation.commands import DocumentedCommand, documented_commands

COMMANDS = documented_commands()
PLACEHOLDERS = {"ID": str(UUID(int=1))}
HELM_CHARTS = {"install", "upgrade"}
HELM_RELEASES = {"test", "uninstall", "rollback"}


def check_uv(command: Sequence[str], config: pytest.Config) -> None:
    assert command[0] == "run"
    rest = list(command[1:])
    while rest[0] == "--extra":
        project = tomllib.loads((project_root() / "pyproject.toml").read_text())["project"]
        assert rest[1] in project["optional-dependencies"]
        del rest[:2]
    check(rest, config)


def check_trading(command: Sequence[str], config: pytest.Config) -> None:
    if command[0].startswith("--"):
        return check_help(("trading",), command)
    commands = get_command(app).commands  # type: ignore[attr-defined] # a group
    assert command[0] in commands
    taken, rest = commands[command[0]], list(command[1:])
    while "--help" not in rest and hasattr(taken, "commands") and not _runs_itself(taken, rest):
        assert rest[0] in taken.commands
        taken, rest = taken.commands[rest[0]], rest[1:]
    if "--help" not in rest:
        taken.make_context(command[-1], rest)
    return None


def _runs_itself(group: Any, rest: Sequence[str]) -> bool:
    """Whether a group of commands is used as a command."""
    return group.invoke_without_command and (not rest or rest[0].startswith("--"))


def check_prefect(command: Sequence[str], config: pytest.Config) -> None:
    words = [PLACEHOLDERS.get(word, word) for word in command]
    prefect_command_line.parse_args(words, exit_on_error=False, print_error=False)
    if command[:2] == ["deployment", "run"]:
        registered = yaml.safe_load((project_root() / "prefect.yaml").read_text())["deployments"]
        names = {f"{flow_name(d['entrypoint'])}/{d['name']}" for d in registered}
        assert command[2] in names


def flow_name(entrypoint: str) -> str:
    """The name of the flow that a deployment's entrypoint leads to."""
    module, _, function = entrypoint.replace(":", ".").rpartition(".")
    return str(getattr(__import__(module, fromlist=[function]), function).name)


def check_pytest(command: Sequence[str], config: pytest.Config) -> None:
    taken, unknown = config._parser.parse_known_and_unknown_args([*command])
    assert unknown == []
    assert [path for path in taken.file_or_dir if not (project_root() / path).exists()] == []


def check_pre_commit(command: Sequence[str], config: pytest.Config) -> None:
    program = str(Path(sys.executable).with_name("pre-commit"))
    check_help((program, command[0]), command[1:])


def check_python(command: Sequence[str], config: pytest.Config) -> None:
    words = 2 if command[0] == "-m" else 1
    check_help((sys.executable, *command[:words]), command[words:])


def check_help(program: Sequence[str], words: Sequence[str]) -> None:
    """Hold the options to those that `--help` explains."""
    help_text = _help(tuple(program))
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert options <= set(re.findall(r"--[a-z][a-z-]*", help_text))


@lru_cache
def _help(program: tuple[str, ...]) -> str:
    return subprocess.run(
        [*program, "--help"],
        cwd=project_root(), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def check_helm(command: Sequence[str], config: pytest.Config) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("verb", choices=sorted(HELM_CHARTS | HELM_RELEASES))
    parser.add_argument("release", choices=["trading-fanout", "demo"])
    parser.add_argument("--namespace", default="trading")
    parser.add_argument("--timeout")
    if command[0] == "test":
        parser.add_argument("--logs", action="store_true")
    else:
        parser.add_argument("--wait", action="store_true")
    if command[0] in HELM_CHARTS:
        parser.add_argument("chart")
        parser.add_argument("--values")
        parser.add_argument("--set", action="append", default=[])
        one = "--create-namespace" if command[0] == "install" else "--reset-then-reuse-values"
        parser.add_argument(one, action="store_true")
    told = parser.parse_args([*command])
    if command[0] in HELM_CHARTS:
        assert project_root() / told.chart == CHART
        file = project_root() / told.values if told.values else None
        values = yaml.safe_load(file.read_text()) if file else {}
        render(
            values, *(parse_set_string(pair) for pair in told.set),
            namespace=told.namespace, name=told.release,
        )  # fmt: skip


def check_kubectl(command: Sequence[str], config: pytest.Config) -> None:
    """kubectl reads its command line first, then asks the server: here there is none."""
    if "--" in command:
        inside = list(command[command.index("--") + 1 :])
        if inside[0] in {"prefect", "trading"}:
            check(inside, config)
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: apt-get install kubernetes-client")
    if command[0] == "config":
        return
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        answer = subprocess.run(
            ["kubectl", "--server", server, *command],
            env={**os.environ, "KUBECONFIG": os.devnull},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert answer.returncode == 1
    assert re.search("connection to the server .* was refused|connection refused", answer.stderr)


def check_compose(command: Sequence[str], config: pytest.Config) -> None:
    services = yaml.safe_load((project_root() / "compose.yaml").read_text())["services"]
    if command[:2] == ["run", "--rm"]:
        assert command[2] in services
        check(command[3:], config)
        return
    assert list(command) == ["up", "--build", "--detach"]


def check_docker(command: Sequence[str], config: pytest.Config) -> None:
    if command[0] == "compose":
        check_compose(command[1:], config)
        return
    if command[0] == "push":
        assert len(command) == 2
        return
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("verb", choices=["build"])
    parser.add_argument("--tag", required=True)
    parser.add_argument("--build-arg", action="append", default=[])
    parser.add_argument("folder", choices=["."])
    told = parser.parse_args([*command])
    known = re.findall(r"^ARG (\w+)", (project_root() / "Dockerfile").read_text(), re.MULTILINE)
    assert {argument.partition("=")[0] for argument in told.build_arg} <= set(known)


def check_kind(command: Sequence[str], config: pytest.Config) -> None:
    cluster = yaml.safe_load((project_root() / "k8s" / "kind.yaml").read_text())["name"]
    assert list(command) in (
        ["create", "cluster", "--config", "k8s/kind.yaml"],
        ["load", "docker-image", "trading-fanout:0.1.0", "--name", cluster],
        ["delete", "cluster", "--name", cluster],
    )


def check_export(command: Sequence[str], config: pytest.Config) -> None:
    (assignment,) = command
    name = assignment.partition("=")[0]
    ours = {f"TRADING_{field.upper()}" for field in Settings.model_fields}
    assert name in {"PREFECT_API_URL", "PYTHONPATH", *ours}


CHECKS: dict[str, Callable[[Sequence[str], pytest.Config], None]] = {
    "uv": check_uv,
    "trading": check_trading,
    "prefect": check_prefect,
    "pytest": check_pytest,
    "pre-commit": check_pre_commit,
    "python": check_python,
    "helm": check_helm,
    "kubectl": check_kubectl,
    "docker": check_docker,
    "kind": check_kind,
    "export": check_export,
}


def check(words: Sequence[str], config: pytest.Config) -> None:
    """Hold a command to what its program takes."""
    program, *rest = words
    if program.startswith(".ci/"):
        assert os.access(project_root() / program, os.X_OK)
        assert rest == []
        return
    assert program in CHECKS, f"no check knows {program}"
    CHECKS[program](rest, config)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_documented_command_is_one_that_its_program_takes(
    command: DocumentedCommand, pytestconfig: pytest.Config
) -> None:
    check(command.words, pytestconfig)


def test_the_commands_are_found() -> None:
    programs = {command.words[0] for command in COMMANDS}
    assert {"uv", "helm", "kubectl", "docker", "kind", "export", ".ci/check"} <= programs
    assert len(COMMANDS) > 50


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("uv run --extra nothing trading demo", "'nothing' in"),
        ("uv run trading demo --contract 3", "No such option: --contract"),
        ("uv run trading demo --grain hour", "'hour' is not one of"),
        ("uv run trading demos", "'demos' in"),
        ("uv run prefect deployment run orchestrator/none", "'orchestrator/none' in"),
        ("prefect work-pool create trading --typ process", "Unknown option: --typ"),
        ("uv run pytest --no-such-option 1", "['--no-such-option'] == []"),
        ("uv run pytest tests/nowhere", "['tests/nowhere'] == []"),
        ("python -m benchmarks.fanout --repeat-often", "{'--repeat-often'} <="),
        ("helm install demo charts/trading-fanout --set image.nothing=1", "'nothing' not allowed"),
        ("helm install demo charts/elsewhere", "'charts/elsewhere'"),
        ("helm upgrade demo charts/trading-fanout --create-namespace", "unrecognized arguments"),
        ("kubectl get jobs --selecter a=b", "unknown flag: --selecter"),
        ("docker build --tag a --build-arg NOTHING=1 .", "{'NOTHING'} <="),
        ("kind load docker-image other", "['load', 'docker-image', 'other'] in"),
        (".ci/nothing", "'.ci/nothing'"),
        ("make", "no check knows make"),
    ],
)
def test_a_wrong_command_is_refused_for_what_is_wrong_with_it(
    wrong: str, reason: str, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((Exception, SystemExit)) as refused:
        check(wrong.split(), pytestconfig)
    assert reason in f"{refused.value}{capsys.readouterr().err}"
