"""The platform on one server: what compose.yaml starts exists, is closed, and is told no secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from cli.app import app
from flows.boundary.settings import Settings, project_root

COMPOSE: dict[str, Any] = yaml.safe_load((project_root() / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}

NO_SETTING = {"TRADING_METRICS_PORT", "TRADING_METRICS_HOST"}
"""Options of commands, by their variables."""


def environment(service: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def words(service: dict[str, Any]) -> list[list[str]]:
    """The commands that a service runs, variables that are not set replaced by what then counts."""
    command = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in service["command"]]
    if command[:2] == ["sh", "-c"]:
        return [part.split() for part in command[2].split("&&")]
    return [command]


@pytest.mark.parametrize("name", OURS)
def test_its_commands_exist_and_take_these_options(name: str) -> None:
    for program, *arguments in words(OURS[name]):
        if program != "trading":
            assert program == "prefect"
            continue
        command = get_command(app)
        while arguments and arguments[0] in getattr(command, "commands", {}):
            command = command.commands[arguments.pop(0)]  # type: ignore[attr-defined]
        command.make_context("trading", arguments)


@pytest.mark.parametrize("name", OURS)
def test_its_variables_are_settings(name: str) -> None:
    known = {f"TRADING_{field}".upper() for field in Settings.model_fields} | NO_SETTING
    ours = {variable for variable in environment(OURS[name]) if variable.startswith("TRADING_")}
    assert ours <= known


@pytest.mark.parametrize("name", OURS)
def test_it_can_change_nothing_of_its_container(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_only_this_machine_reaches_its_ports(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_written_down(name: str) -> None:
    for variable, value in environment(SERVICES[name]).items():
        if re.search(r"PASSWORD|SECRET|KEY|NOTIFY", variable):
            assert value.startswith("${"), variable
        assert not re.search(r"://[^/@:]*:(?!\$\{)[^@/]+@", value), variable


def test_flow_runs_know_the_sources_that_are_set() -> None:
    """Without them runs would fetch made-up bars."""
    runs, stream = (environment(SERVICES[name]) for name in ("worker", "stream"))
    assert runs["TRADING_SOURCES"].startswith("${TRADING_SOURCES:-")
    assert runs["TRADING_POLYGON_API_KEY"] == stream["TRADING_POLYGON_API_KEY"]


def test_the_channels_go_to_the_alerts_alone() -> None:
    """The names of its channels are in the database, for all that have something to tell."""
    told = {
        name: environment(service)["TRADING_NOTIFY"]
        for name, service in SERVICES.items()
        if "TRADING_NOTIFY" in environment(service)
    }
    assert told == {"alerts": "${TRADING_NOTIFY:-}"}


def test_the_brokers_keys_go_to_the_executor_alone() -> None:
    told = {
        name
        for name, service in SERVICES.items()
        if any("ALPACA" in variable for variable in environment(service))
    }
    assert told == {"executor"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_runs_all_day_is_started_again_and_looked_after(name: str) -> None:
    service = SERVICES[name]
    if name == "prepare":
        assert service["restart"] == "no"
        return
    assert service["restart"] == "unless-stopped"
    assert "healthcheck" in service or name == "worker"


def test_volumes_and_configurations_are_declared() -> None:
    named = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
    }
    assert named == set(COMPOSE["volumes"])
    used = {
        config["source"] for service in SERVICES.values() for config in service.get("configs", [])
    }
    assert used == set(COMPOSE["configs"])


def test_what_others_wait_for_can_be_waited_for() -> None:
    for service in SERVICES.values():
        for other, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]


def test_the_image_has_the_folder_of_the_volume() -> None:
    assert "/data" in (project_root() / "Dockerfile").read_text()
    assert Path("/data") == Path(SERVICES["api"]["volumes"][0].partition(":")[2])


def test_made_up_prices_go_with_the_time_that_they_tell_until_both_are_changed() -> None:
    """A process on the wall's clock would call these prices stale."""
    stream = " ".join(words(SERVICES["stream"])[0])
    assert stream.endswith("--source synthetic")
    for name in ("alerts", "executor", "api"):
        assert "--clock ${TRADING_CLOCK:-events}" in " ".join(SERVICES[name]["command"]), name


def test_a_kill_of_the_bus_loses_nothing_that_it_acknowledged() -> None:
    assert "appendonly yes\\nappendfsync no\\n" in SERVICES["valkey"]["command"][2]
