"""The wheel in an environment of its own, without the checkout that it was built from."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sysconfig
from pathlib import Path

import pytest

from flows.boundary.settings import project_root
from tests.cli.conftest import WHOLE_COMMAND_SECONDS


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The programs of an environment with the wheel; its dependencies are those of the tests."""
    environment, wheels = tmp_path / "environment", tmp_path / "wheels"
    uv("build", "--wheel", "--out-dir", str(wheels), str(project_root()))
    uv("venv", "--python", sysconfig.get_python_version(), str(environment))
    (wheel,) = wheels.glob("*.whl")
    python = environment / "bin" / "python"
    uv("pip", "install", "--offline", "--no-deps", "--python", str(python), str(wheel))
    (packages,) = environment.glob("lib/*/site-packages")
    # As a path alone: the link to the checkout beside the dependencies has no effect.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def uv(*arguments: str) -> None:
    done = subprocess.run(["uv", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel(programs: Path, prefect_server: str, tmp_path: Path) -> None:
    folder = tmp_path / "anywhere"
    folder.mkdir()
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TRADING_", "PYTHON")) and name != "UV"
    } | {"PREFECT_API_URL": prefect_server}

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env=clean, cwd=folder, timeout=WHOLE_COMMAND_SECONDS,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    where = typed(str(programs / "python"), "-c", "import cli; print(cli.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(programs.parent), where
    options = ("--contracts", "1", "--grain", "all", "--server-dir", str(folder / "server"))
    demo = typed(str(programs / "trading"), "demo", *options, "--json")
    assert demo.returncode == 0, demo
    assert json.loads(demo.stdout)["partitions"]["completed"] == 1
    assert (folder / "input" / "vix_hourly.parquet").is_file()
    (result,) = folder.glob("output/[A-Z]*/all.parquet")

    result.unlink()
    status = typed(str(programs / "trading"), "status", "--grain", "all", "--json")
    assert status.returncode == 3, status
    (printed,) = json.loads(status.stdout)["commands"]
    redone = typed(*shlex.split(printed), "--server-dir", str(folder / "server"))
    assert redone.returncode == 0, redone
    assert result.is_file()
