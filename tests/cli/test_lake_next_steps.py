"""The commands that `lake status` and `lake gaps` print do what they say when they are pasted."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from cli.commands.lake.gaps import _next_steps
from cli.commands.lake.status import SymbolSessions, commands
from cli.display.status_grid import CellStatus
from tests.lake.bronze.deliveries import Lake


def redo_command(line: str) -> list[str]:
    words = shlex.split(line.partition(": ")[2])
    return words[words.index("redo") :]


def test_gaps_of_vendors_are_fetched_by_the_command_as_it_stands() -> None:
    [line] = _next_steps("/lake", {"yahoo", "polygon"})
    assert redo_command(line) == ["redo", "--gaps", "--lake-dir", "/lake"]


def test_gaps_of_files_are_left_out_of_the_command() -> None:
    """With them it would ask for a folder."""
    command, rest = _next_steps("/lake", {"yahoo", "files"})
    assert redo_command(command) == ["redo", "--gaps", "--lake-dir", "/lake", "--source", "yahoo"]
    assert "--from with the folder" in rest
    [alone] = _next_steps("/lake", {"files"})
    assert "--source files" in alone


@pytest.mark.parametrize(("source", "count"), [("yahoo", 1), ("files", 0)])
def test_status_prints_no_command_with_a_folder_that_nobody_named(
    tmp_path: Path, source: str, count: int
) -> None:
    row = SymbolSessions(
        symbol="AAPL",
        columns={"2024-01-03": CellStatus.MISSING},
        request=Lake(tmp_path).request(source),
    )
    found = commands("/lake", [row])
    assert len(found) == count
    assert "DIR" not in " ".join(found)
