"""A process that dies while it builds silver and gold: the same build makes the same bits."""

from __future__ import annotations

import shutil
import signal
from datetime import date
from pathlib import Path

import pytest

from tests.lake.bronze_files import write_minutes
from tests.lake.building import contents
from tests.lake.killed_build import POINTS, Point, build_layers, exit_code_of_a_build

LAYERS = ("silver", "silver_days", "gold")


@pytest.fixture(scope="module")
def bronze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions in two months."""
    folder = tmp_path_factory.mktemp("bronze")
    write_minutes(folder, "AAPL", date(2024, 1, 31), date(2024, 2, 1))
    return folder


def layers_of(lake: Path) -> dict[str, str]:
    return {name: rows for layer in LAYERS for name, rows in contents(lake, layer).items()}


@pytest.mark.parametrize("point", POINTS)
def test_a_build_killed_at_any_write_is_finished_by_the_next_to_the_bit(
    bronze: Path, tmp_path: Path, point: Point
) -> None:
    """Fails when a file is written under its own name, or a partition that is there twice over."""
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(bronze, undisturbed)
    writes = len(build_layers(str(undisturbed)))
    expected = layers_of(undisturbed)
    assert writes == len(expected) == 2 + 1 + 2 + 1
    for number in range(1, writes + 1):
        lake = tmp_path / f"{number}"
        shutil.copytree(bronze, lake)
        assert exit_code_of_a_build(str(lake), point, number) == -signal.SIGKILL
        there = layers_of(lake)
        assert len(there) == (number if point == "after" else number - 1)
        assert there.items() <= expected.items(), "whatever is there is whole"
        build_layers(str(lake))
        assert layers_of(lake) == expected, f"killed {point} write {number}"
