"""`trading lake build`, killed or run twice at once: the same command makes an undisturbed lake."""

from __future__ import annotations

import json
import shutil
import signal
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import WHOLE_COMMAND_SECONDS, Start, start  # noqa: F401 - a fixture
from tests.lake.bronze_files import write_minutes
from tests.lake.building import contents
from tests.lake.killed_build import build_layers
from tests.reliability.faults import Faults
from tests.waiting import wait_until

BUILD = ("lake", "build", "--strategy", "rsi_reversion", "--interval", "5m,1d", "--json")
LAYERS = ("silver", "silver_days", "gold")


@pytest.fixture(scope="module")
def bronze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sessions in two months of two symbols."""
    folder = tmp_path_factory.mktemp("bronze")
    for symbol in ("AAPL", "BRK-B"):
        write_minutes(folder, symbol, date(2024, 1, 30), date(2024, 2, 2))
    return folder


@pytest.fixture(scope="module")
def expected(bronze: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an undisturbed build makes of it."""
    lake = tmp_path_factory.mktemp("undisturbed") / "lake"
    shutil.copytree(bronze, lake)
    build_layers(str(lake))
    return layers_of(lake)


def layers_of(lake: Path) -> dict[str, str]:
    return {name: rows for layer in LAYERS for name, rows in contents(lake, layer).items()}


def ended(process: Any) -> dict[str, dict[str, int]]:
    stdout, stderr = process.communicate(timeout=WHOLE_COMMAND_SECONDS)
    assert process.returncode == 0, stderr
    layers: dict[str, dict[str, int]] = json.loads(stdout)["layers"]
    return layers


@pytest.mark.slow
def test_a_build_killed_in_silver_and_in_gold_is_finished_by_the_same_command(
    start: Start,  # noqa: F811
    prefect_server: str,
    bronze: Path,
    expected: dict[str, str],
    tmp_path: Path,
) -> None:
    """Fails when a file is written under its own name: a kill leaves half of it."""
    lake, faults = tmp_path / "lake", Faults(tmp_path / "faults")
    shutil.copytree(bronze, lake)
    faults.folder.mkdir()
    environment = {
        "PREFECT_API_URL": prefect_server, "TRADING_LAKE_DIR": str(lake), **faults.environment(),
    }  # fmt: skip
    for file in ("silver/AAPL/20240201.parquet", "gold/rsi_reversion/5m/BRK-B/2024-02.parquet"):
        faults.kill("during", file)
        killed = start(*BUILD, **environment)
        _, stderr = killed.communicate(timeout=WHOLE_COMMAND_SECONDS)
        assert killed.returncode == -signal.SIGKILL, stderr
        assert not (lake / file).exists()
    made = ended(start(*BUILD, **environment))
    assert made["silver"]["up_to_date"] == 2 * (4 + 1), "what was written is not made again"
    assert made["gold rsi_reversion"]["computed"] >= 1
    assert layers_of(lake) == expected


@pytest.mark.slow
def test_two_builds_at_once_make_the_lake_of_one(
    start: Start,  # noqa: F811
    prefect_server: str,
    bronze: Path,
    expected: dict[str, str],
    tmp_path: Path,
) -> None:
    """Both have to want the same partition at once: one waits in its write for the other's end.

    Fails when both write under one temporary name.
    """
    lake, faults = tmp_path / "lake", Faults(tmp_path / "faults")
    shutil.copytree(bronze, lake)
    faults.folder.mkdir()
    environment = {
        "PREFECT_API_URL": prefect_server, "TRADING_LAKE_DIR": str(lake), **faults.environment(),
    }  # fmt: skip
    held = faults.hold("during", "silver/AAPL/20240130.parquet")
    first, second = start(*BUILD, **environment), start(*BUILD, **environment)
    wait_until(lambda: faults.holds(held), "one of the two waits in its write")
    wait_until(
        lambda: first.poll() is not None or second.poll() is not None,
        "the other has ended",
        seconds=WHOLE_COMMAND_SECONDS,
    )
    assert layers_of(lake) == expected, "the one that did not wait has made everything"
    faults.let_go(held)
    for process in (first, second):
        ended(process)
    assert layers_of(lake) == expected
