"""The notebooks' code cells, run in order on a small lake as `trading lake demo` makes it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cli.commands.lake.demo import INTERVALS, STRATEGY
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from tests.lake.bronze_files import write_minutes
from tests.lake.building import build

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three sessions, which are enough bars of five minutes for the slowest average."""
    folder = str(tmp_path_factory.mktemp("lake"))
    for symbol in ("AAPL", "MSFT"):
        write_minutes(folder, symbol, date(2024, 1, 2), date(2024, 1, 4))
    for dataset in (SilverDataset(), SilverDaysDataset()):
        build(dataset, SilverRequest(lake_dir=folder))
    build(GoldDataset(), GoldRequest(lake_dir=folder, strategy=STRATEGY, intervals=INTERVALS))
    return folder


def cells(notebook: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(notebook.read_text())["cells"]
    return found


OF_THE_LAKE = [notebook for notebook in NOTEBOOKS if notebook.stem in {"lake", "signals"}]


def test_there_is_a_notebook_of_each_part() -> None:
    names = [notebook.stem for notebook in NOTEBOOKS]
    assert names == ["api", "backtest", "lake", "signals"]


def run(notebook: Path) -> dict[str, Any]:
    """Execute the code cells in one namespace, and return it."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells(notebook)):
        if cell["cell_type"] == "code":
            code = compile("".join(cell["source"]), f"{notebook.name}, cell {number}", "exec")
            exec(code, names)  # noqa: S102 - what Jupyter does
    return names


@pytest.mark.parametrize("notebook", OF_THE_LAKE, ids=lambda path: path.stem)
def test_the_cells_run_in_order(
    notebook: Path, lake: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRADING_LAKE_DIR", lake)
    run(notebook)
    assert "AAPL" in capsys.readouterr().out


def test_the_backtest_runs_without_a_lake() -> None:
    notebook = next(one for one in NOTEBOOKS if one.stem == "backtest")
    assert len(run(notebook)) > 1


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_kept(notebook: Path) -> None:
    for cell in cells(notebook):
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
