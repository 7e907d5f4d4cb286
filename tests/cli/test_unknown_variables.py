"""A `TRADING_` variable that nothing reads is most often a slip, and is said to be one."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from cli.unknown_variables import unknown_variables
from flows.boundary.settings import project_root


def test_a_variable_that_nothing_reads_names_the_one_that_is_meant() -> None:
    assert unknown_variables(
        {
            "TRADING_DATABSE_URL": "postgresql://some:s3cret@host", "trading_jobper": "run",
            "TRADING_ZEBRA": "1", "TRADING_LAKE_DIR": "lake", "trading_output_dir": "out",
            "PATH": "/bin", "TRADING_LOG_DIR": "logs",
        }
    ) == [
        "TRADING_DATABSE_URL is no setting and counts for nothing; TRADING_DATABASE_URL is one.",
        "TRADING_JOBPER is no setting and counts for nothing; TRADING_JOB_PER is one.",
        (
            "TRADING_ZEBRA is no setting and counts for nothing; trading settings lists those "
            "that there are."
        ),
    ]  # fmt: skip


def test_what_kubernetes_tells_of_services_is_no_slip() -> None:
    of_service = {
        f"TRADING_{service}{name}": "tcp://10.0.0.1:80"
        for service in ("", "API_")
        for name in (
            "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP",
            "PORT_80_TCP_ADDR", "PORT_80_TCP_PORT", "PORT_80_TCP_PROTO",
        )
    }  # fmt: skip
    assert unknown_variables(of_service) == []
    assert unknown_variables(of_service | {"TRADING_API_SERVCE": ""}) != []
    assert len(unknown_variables({"TRADING_PORT": "1"})) == 1


@pytest.mark.parametrize("file", ["compose.yaml", "notebooks/api.ipynb", "flows/runs/commands.py"])
def test_variables_that_other_parts_of_the_platform_read_are_known(file: str) -> None:
    named = set(re.findall(r"\bTRADING_[A-Z_]+\b", (project_root() / file).read_text()))
    assert named
    assert unknown_variables(dict.fromkeys(named, "")) == []


def test_a_variable_that_nothing_reads_is_said_once_on_standard_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRADING_JOBPER", "run")
    ask_twice = "from cli.settings import settings_in_force as ask; ask(); ask()"
    done = subprocess.run(
        [sys.executable, "-c", ask_twice], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "TRADING_JOBPER is no setting and counts for nothing; TRADING_JOB_PER is one."
    ]
