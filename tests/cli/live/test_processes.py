"""Which processes `trading live` starts, and with what."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.main import get_command

from cli.app import app
from cli.commands.live.all_in_one.processes import (
    LiveProcess,
    Places,
    account_of,
    first_processes,
    later_processes,
)
from tests.cli.live.given import options

OWN = Places(
    symbols=["AAPL", "MSFT"], desk_port=8123, prefect_url="http://127.0.0.1:4201/api",
    prefect_port=4201,
)  # fmt: skip


def by_name(processes: list[LiveProcess]) -> dict[str, LiveProcess]:
    return {process.name: process for process in processes}


def option(process: LiveProcess, name: str) -> str:
    return process.arguments[list(process.arguments).index(name) + 1]


@pytest.mark.parametrize("source", ["synthetic", "replay", "alpaca", "polygon"])
def test_each_is_a_command_with_options_that_it_has(source: str, tmp_path: Path) -> None:
    asked = options(source, tmp_path)
    found = [*first_processes(asked, OWN), *later_processes(asked, OWN)]
    assert [process.name for process in found] == [
        "windows", "signals", "executor", "stream", "api", "alerts", "news", "prefect",
    ]  # fmt: skip
    for process in found:
        command, arguments = get_command(app), list(process.arguments)
        while arguments and arguments[0] in getattr(command, "commands", {}):
            command = command.commands[arguments.pop(0)]  # type: ignore[attr-defined]
        command.make_context("trading", arguments)


@pytest.mark.parametrize(
    ("source", "account", "clock", "archives"),
    [
        ("synthetic", "paper-synthetic", "events", False),
        ("replay", "paper-replay", "events", False),
        ("alpaca", "paper", "wall", True),
        ("polygon", "paper", "wall", True),
    ],
)
def test_only_real_prices_have_real_time_and_go_into_the_lake(
    source: str,
    account: str,
    clock: str,
    archives: bool,  # noqa: FBT001 - a case
    tmp_path: Path,
) -> None:
    asked = options(source, tmp_path)
    first, later = by_name(first_processes(asked, OWN)), by_name(later_processes(asked, OWN))
    assert account_of(asked) == option(first["executor"], "--account") == account
    for process in (first["executor"], first["api"], later["alerts"]):
        assert option(process, "--clock") == clock
    assert ("--archive" in first["windows"].arguments) is archives
    assert option(first["stream"], "--source") == source


def test_the_executor_follows_the_first_strategy_on_paper(tmp_path: Path) -> None:
    executor = by_name(first_processes(options("synthetic", tmp_path), OWN))["executor"]
    assert option(executor, "--strategy") == "macd_cross"
    assert option(executor, "--interval") == "5m"
    assert option(executor, "--symbols") == "AAPL,MSFT"
    assert "--broker" not in executor.arguments


def test_a_prefect_server_of_its_own_is_not_taken_for_somebody_elses(tmp_path: Path) -> None:
    asked = options("synthetic", tmp_path)
    own = by_name([*first_processes(asked, OWN), *later_processes(asked, OWN)])
    assert own["prefect"].environment == {}
    assert option(own["prefect"], "--port") == "4201"
    named = {"PREFECT_API_URL": OWN.prefect_url}
    assert own["alerts"].environment == named
    # As the settings' lake it need not be there yet, as with --lake-dir it would have to be.
    assert own["api"].environment == named | {"TRADING_LAKE_DIR": str(tmp_path / "lake")}
    there = Places(symbols=["A"], desk_port=1, prefect_url="http://prefect/api")
    others = by_name(later_processes(asked, there))
    assert others["prefect"].environment == {"PREFECT_API_URL": "http://prefect/api"}
    assert "--port" not in others["prefect"].arguments
    without = Places(symbols=["A"], desk_port=1)
    assert "prefect" not in by_name(later_processes(asked, without))
