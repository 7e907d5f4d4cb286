"""`trading lake status silver` and `gold`: what is there, what is due, and what makes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import typer

from cli.commands.lake.medallion_run import require_extra
from cli.commands.lake.selection import (
    Selection,
    check_strategies,
    gold_requests,
    lake_of,
    names,
    silver_request,
)
from cli.commands.lake.status import INCOMPLETE
from cli.display.status_grid import CellStatus, GridRow, grid_lines, legend
from cli.pipeline.query import as_json
from cli.settings import installation
from flows.runs.commands import shell_command
from lake.dataset import Dataset, symbol_status
from lake.folders import folders_in
from lake.gold.dataset import GoldDataset
from lake.gold.request import GOLD
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from storage.directory import open_directory
from trading.bars.intervals import Interval
from trading.strategies.registry import BUILT_IN

SHOWN = (CellStatus.DONE, CellStatus.STALE, CellStatus.MISSING)
"""What there is of a partition that is computed from others here."""


@dataclass(frozen=True, slots=True)
class LayerGrid:
    """The partitions of one dataset, of gold of one strategy and interval.

    Attributes:
        title: What it is called, e.g. `silver` or `gold macd_cross 5m`.
        rows: Its symbols.
        command: The command that makes what is due.
    """

    title: str
    rows: Sequence[GridRow]
    command: str


def run_layer_status(selection: Selection, *, as_object: bool) -> int:
    """Print what the lake has of silver or gold; returns the exit code.

    Args:
        selection: What to look at. Without strategies or intervals, those that gold has.
        as_object: Whether to print one JSON object instead of text.

    Raises:
        CommandError, TradingError: It cannot be found out.
    """
    place = lake_of(selection, installation())
    if selection.layer == "silver":
        grids, unknown = list(_silver(selection, place)), list[str]()
    else:
        require_extra("talib")
        chosen, unknown = _present(selection, place)
        grids = [grid for one in chosen for grid in _gold(one, place)]
    rows = [row for grid in grids for row in grid.rows]
    complete = bool(rows) and all(row.is_complete for row in rows)
    if as_object:
        typer.echo(_object(place, grids, unknown))
    else:
        typer.echo("\n".join(_text(selection, place, grids, unknown)))
    return 0 if complete else INCOMPLETE


def _silver(selection: Selection, place: str) -> Iterator[LayerGrid]:
    request = silver_request(selection, place)
    sources = ["--source", selection.sources] if selection.sources else []
    for dataset in (SilverDataset(), SilverDaysDataset()):
        yield _grid(dataset.name, dataset, request, place, ["silver", *sources])


def _present(selection: Selection, place: str) -> tuple[list[Selection], list[str]]:
    """A selection for each strategy and interval to look at, and the strategies nobody knows.

    Parameters are those of a strategy that is named; what others gave is stale for them.

    Raises:
        CommandError, ParameterError: A strategy that is named is none, or lacks a parameter given.
    """
    lake = open_directory(place, "lake_dir")
    stored = {
        strategy: folders_in(lake, f"{GOLD}/{strategy}") for strategy in folders_in(lake, GOLD)
    }
    check_strategies(selection)
    named = names(selection.strategies) or [name for name in stored if name in BUILT_IN]
    lengths = names(selection.intervals)
    found = []
    for strategy in named:
        present = [i for i in Interval if i.value in stored.get(strategy.rpartition(":")[2], ())]
        found += [
            replace(selection, strategies=strategy, intervals=interval)
            for interval in lengths or [i.value for i in present]
        ]
    own = () if selection.strategies else sorted(set(stored) - set(BUILT_IN))
    return found, list(own)


def _gold(selection: Selection, place: str) -> Iterator[LayerGrid]:
    words = [
        "gold",
        "--strategy",
        selection.strategies or "",
        "--interval",
        selection.intervals or "",
    ]
    if selection.parameters:
        words += ["--parameters", selection.parameters]
    for request in gold_requests(selection, place):
        title = f"gold {request.chosen_strategy.name} {selection.intervals}"
        yield _grid(title, GoldDataset(), request, place, words)


def _grid(
    title: str,
    dataset: Dataset[Any, Any],
    request: Any,  # noqa: ANN401 - the dataset's
    place: str,
    words: Sequence[str],
) -> LayerGrid:
    rows = []
    for symbol in dataset.symbols(request):
        status = symbol_status(dataset, request, symbol)
        cells = {
            key.stretch.label: CellStatus(state.value)
            for key, state in zip(status.keys, status.states, strict=True)
        }
        rows.append(GridRow(symbol, cells))
    due = ",".join(row.symbol for row in rows if not row.is_complete)
    command = shell_command(
        "trading", "lake", "build", *words, "--symbols", due, "--lake-dir", place
    )
    return LayerGrid(title, rows, command if due else "")


def _object(place: str, grids: Sequence[LayerGrid], unknown: Sequence[str]) -> str:
    every = [row for grid in grids for row in grid.rows]
    return as_json(
        {
            "lake_dir": place,
            "partitions": {s.value: sum(row.count(s) for row in every) for s in SHOWN},
            "grids": [
                {
                    "title": grid.title,
                    "symbols": [
                        {
                            "symbol": row.symbol,
                            "done": row.count(CellStatus.DONE),
                            "stale": row.having(CellStatus.STALE),
                            "missing": row.having(CellStatus.MISSING),
                        }
                        for row in grid.rows
                    ],
                }
                for grid in grids
            ],
            "not_looked_at": list(unknown),
            "commands": [grid.command for grid in grids if grid.command],
        }
    )


def _text(
    selection: Selection, place: str, grids: Sequence[LayerGrid], unknown: Sequence[str]
) -> Iterator[str]:
    yield f"Lake  {place}"
    if not grids:
        yield f"There is no {selection.layer} in it; trading lake build makes it."
    for grid in grids:
        yield ""
        yield from grid_lines(grid.title, grid.rows)
    if grids:
        yield ""
        yield legend([row for grid in grids for row in grid.rows], SHOWN)
    for strategy in unknown:
        yield ""
        yield (
            f"{GOLD}/{strategy} is of a strategy of your own; name it as package.module:Class with "
            "--strategy to see what is there of it."
        )
    if todo := [grid.command for grid in grids if grid.command]:
        yield ""
        yield "To complete it:"
        yield from (f"  {command}" for command in todo)
