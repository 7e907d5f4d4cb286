"""Commands that messages ask their reader to run: what the shell and Prefect make of them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.cli._utilities import load_json_key_values

from flows.analyze_time_partition_flow import analyze_time_partition
from flows.deploy.deployments import ANALYZE_TIME_PARTITION, ORCHESTRATOR
from flows.orchestrator_flow import trading_orchestrator
from flows.runs import commands
from flows.runs.commands import non_default_parameters, redo_partition, run_command, shell_command
from lake.grain import Grain
from lake.keys import Partition
from lake.market.dataset import RESULTS
from tests.markets import request_of
from tests.requests import CONTRACTS, DAYS, STRATEGIES
from trading.instruments.clock import NEW_YORK
from trading.strategies.market_model.parameters import StrategyParameters

FOLDERS = st.sampled_from(("/data/in put", "s3://bucket/out", '/it\'s/"here"', "/a\\new/ü", "/5"))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def parameters_of(command: str) -> dict[str, Any]:
    """The parameters as the shell and `prefect deployment run` read them."""
    words = shlex.split(command)
    given = words[words.index("run", words.index("deployment")) + 2 :]
    assert given[::2] == ["--param"] * (len(given) // 2)
    return dict(load_json_key_values(given[1::2], "parameter"))


def test_a_partition_is_redone_with_its_own_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    command = redo_partition(
        {
            "contract": "AAPL",
            "timestamp": "2024-01-02T09:30:00-05:00",
            "grain": "bar",
            "strategy": StrategyParameters().model_dump(mode="json"),
            "input_dir": "/data/input",
            "output_dir": "s3://bucket/out",
        }
    )
    assert command == (
        f"prefect deployment run {ANALYZE_TIME_PARTITION} --param contract=AAPL "
        "--param timestamp=2024-01-02T09:30:00-05:00 "
        "--param input_dir=/data/input --param output_dir=s3://bucket/out"
    )


@given(CONTRACTS, DAYS, st.sampled_from(Grain), STRATEGIES, st.tuples(FOLDERS, FOLDERS))
def test_the_command_of_a_partition_runs_that_partition(
    contract: str,
    day: datetime,
    grain: Grain,
    strategy: StrategyParameters,
    folders: tuple[str, str],
) -> None:
    partition = Partition(contract, day.replace(tzinfo=NEW_YORK), grain, 0, 1)
    request = request_of(*folders, contract, grain, strategy)
    wanted = RESULTS.parameters(request, partition)
    read = parameters_of(redo_partition(wanted))
    validated = analyze_time_partition.validate_parameters
    assert validated(read) == validated(wanted)


@given(st.lists(CONTRACTS, min_size=1, unique=True), st.sampled_from(Grain), STRATEGIES, FOLDERS)
def test_the_command_of_a_run_names_what_it_ran(
    names: list[str], grain: Grain, strategy: StrategyParameters, folder: str
) -> None:
    wanted = {
        "contracts": names, "grain": grain.value, "strategy": strategy.model_dump(mode="json"),
        "output_dir": folder, "partitions": None,
    }  # fmt: skip
    read = parameters_of(run_command(ORCHESTRATOR, non_default_parameters(wanted)))
    validated = trading_orchestrator.validate_parameters
    assert validated(read) == validated(wanted)


@given(TEXT | CONTRACTS)
def test_no_text_becomes_anything_else(value: str) -> None:
    assert parameters_of(run_command("a/b", {"name": value})) == {"name": value}


@pytest.mark.parametrize("name", ["600519", "1E5", "0005", "-7", "true", "NaN", "[1]", '"x"'])
def test_text_that_is_json_is_quoted(name: str) -> None:
    assert parameters_of(run_command("a/b", {"contract": name})) == {"contract": name}


def started_by(monkeypatch: pytest.MonkeyPatch, *, path: Path | None, uv: bool) -> None:
    monkeypatch.delenv(commands.SHELL_PATH, raising=False)
    monkeypatch.setenv("PATH", "/nowhere" if path is None else str(path))
    monkeypatch.delenv("UV", raising=False)
    if uv:
        monkeypatch.setenv("UV", "/usr/bin/uv")


def test_a_program_that_the_shell_does_not_find_is_started_through_uv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = Path(sys.executable).parent
    monkeypatch.chdir(commands.PROJECT)
    started_by(monkeypatch, path=programs, uv=False)
    assert shell_command("trading", "up") == "trading up"
    started_by(monkeypatch, path=programs, uv=True)
    assert shell_command("trading", "up") == "uv run trading up", "uv's child has another PATH"
    started_by(monkeypatch, path=None, uv=False)
    assert shell_command("trading", "up") == "uv run trading up"
    started_by(monkeypatch, path=programs, uv=False)
    monkeypatch.setenv(commands.SHELL_PATH, "/nowhere")
    assert shell_command("trading", "up") == "uv run trading up", "a job of our worker's"
    monkeypatch.chdir(tmp_path)
    assert shlex.split(shell_command("trading", "up")) == [
        "uv", "run", "--project", str(commands.PROJECT), "trading", "up",
    ]  # fmt: skip


def test_without_a_checkout_a_program_is_named_by_its_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(commands, "PROJECT", tmp_path)
    started_by(monkeypatch, path=None, uv=False)
    command = shlex.split(shell_command("prefect", "version"))
    assert command == [str(Path(sys.executable).with_name("prefect")), "version"]


def test_the_command_can_be_pasted_anywhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = os.pathsep.join(
        folder for folder in os.environ["PATH"].split(os.pathsep)
        if not (Path(folder) / "trading").is_file()
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path)
    monkeypatch.delenv("UV", raising=False)
    pasted = subprocess.run(  # noqa: S602 - as somebody pastes it
        shell_command("trading", "redo", "--help"),
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert pasted.returncode == 0, pasted
    assert "--dry-run" in pasted.stdout
