"""The pipeline: dataset x symbol x time, a cell for each partition, which can be redone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Form, Request, Response

from api.desk.charting import json_response
from api.desk.desk import Desk, DeskOf
from api.desk.layers import Layer, file_of, layers, written_at
from api.desk.reading.services import open_gap_sessions
from api.desk.rendering import PageRoute, page
from api.desk.shown import day_and_time
from api.envelope import ApiError
from api.prefect_runs import Run, RunsUnavailableError
from api.security import Trader
from database.orders.audit import audit
from lake.dataset import PartitionKey, PartitionStatus
from lake.stretch import Stretch
from trading.errors import TradingError
from trading.instruments.clock import NEW_YORK

pages = APIRouter(route_class=PageRoute)
data = APIRouter()

SPANS = {"1m": timedelta(days=31), "3m": timedelta(days=92), "1y": timedelta(days=366)}
FIRST = date(1990, 1, 1)
GAP = "gap"

SIGNS = {
    "done": ("✓", "there, and what its inputs give now"),
    "unsettled": ("○", "there, and its source may still correct it"),
    "stale": ("~", "of other inputs or an older version"),
    GAP: ("!", "bars of it are missing"),
    "failed": ("✕", "its last run failed"),
    "missing": ("·", "not there"),
}
"""What each status looks like and means."""

_RUNS = 200
_FAILED = ("FAILED", "CRASHED")


@dataclass(frozen=True, slots=True)
class GridCell:
    """One partition."""

    status: str
    sign: str
    file: str
    label: str


@dataclass(frozen=True, slots=True)
class GridRow:
    """A symbol's partitions, one for each column; None where none should be."""

    symbol: str
    cells: tuple[GridCell | None, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A layer.

    Attributes:
        columns: The stretches of time, as people call them.
        rows: A row a symbol.
        counts: How many partitions have each status.
    """

    columns: tuple[str, ...]
    rows: tuple[GridRow, ...]
    counts: dict[str, int]


@pages.get("/pipeline")
def pipeline(request: Request, desk: DeskOf, layer: str = "", range: str = "3m") -> Response:  # noqa: A002 - the address
    """A layer's grid."""
    known = layers(desk.services.lake_dir)
    chosen = _chosen(known, layer) if known else None
    last_runs, note = _last_runs(desk)
    grid = None
    if chosen is not None:
        last = _last(desk, chosen)
        first = last - SPANS[range] if range in SPANS else FIRST
        grid = _grid(desk, chosen, first, last, last_runs)
    return page(
        request,
        desk,
        "pipeline.html",
        "Pipeline",
        layers=known,
        layer=chosen,
        range=range if range in SPANS else "all",
        grid=grid,
        signs=SIGNS,
        note=note,
    )


@data.get("/desk/partition")
def partition(desk: DeskOf, layer: str, file: str) -> Response:
    """What is known of one partition, and of the run that made it.

    Raises:
        ApiError: There is no such partition.
    """
    chosen, key, status = _partition(desk, layer, file)
    metadata = file_of(chosen, key)
    last_runs, note = _last_runs(desk)
    last = last_runs.get(key.label)
    run_id = str(last.id) if last is not None else metadata.get("flow_run_id", "")
    return json_response(
        {
            "label": key.label,
            "status": status.value,
            "meaning": SIGNS[status.value][1],
            "written": day_and_time(written_at(metadata)),
            "fingerprint": metadata.get("fingerprint", ""),
            "version": metadata.get("code_version", ""),
            "run": run_id,
            "run_state": "" if last is None else last.state,
            "run_url": _run_url(desk, run_id),
            "note": note,
            "can_redo": desk.services.runs is not None,
        }
    )


@data.post("/desk/redo")
def redo(
    desk: DeskOf,
    caller: Trader,
    layer: Annotated[str, Form()],
    file: Annotated[str, Form()],
    idempotency_key: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Start the flow run that computes one partition again.

    Args:
        desk: The desk.
        caller: Who asks.
        layer: The layer.
        file: The partition's file, relative to the lake.
        idempotency_key: A retry with the same key starts no second run.

    Raises:
        ApiError: There is no such partition, or no server to run it.
        DeploymentMissingError, RunsUnavailableError: The server does not do it.
    """
    runs = desk.services.runs
    if runs is None:
        raise ApiError(
            409, "no_prefect", "No Prefect server is configured; start one with trading up."
        )
    chosen, key, _ = _partition(desk, layer, file)
    run = runs.start(
        chosen.deployment,
        chosen.run_parameters(key),
        f"desk {caller.name} {idempotency_key or uuid4().hex}",
    )
    with (
        desk.services.database.connection() as database,
        database.transaction() as connection,
    ):
        why = "asked for on the desk"
        audit(connection, who=caller.name, action="redo", subject=key.relative_path, why=why)
    return json_response({"run": str(run.id), "run_url": _run_url(desk, str(run.id))})


def _chosen(known: list[Layer], name: str) -> Layer:
    found = (layer for layer in known if layer.name == name or not name)
    if (layer := next(found, None)) is not None:
        return layer
    raise ApiError(404, "not_found", "The lake has no such layer; choose one on the page.")


def _partition(desk: Desk, layer: str, file: str) -> tuple[Layer, PartitionKey, PartitionStatus]:
    """The layer, key and status of a file's partition."""
    chosen = _chosen(layers(desk.services.lake_dir), layer)
    symbol = file.split("/")[-2] if file.count("/") > 1 else ""
    if symbol in chosen.symbols():
        status = chosen.status(symbol, FIRST, _last(desk, chosen))
        for key, state in zip(status.keys, status.states, strict=True):
            if key.relative_path == file:
                return chosen, key, state
    raise ApiError(404, "not_found", "There is no such partition; load the page again.")


def _grid(desk: Desk, layer: Layer, first: date, last: date, last_runs: dict[str, Run]) -> Grid:
    failed = {name for name, run in last_runs.items() if run.state_type in _FAILED}
    gaps = _gaps(desk, layer, first, last)
    found: dict[str, dict[Stretch, GridCell]] = {}
    problems: dict[str, str] = {}
    for symbol in layer.symbols():
        found[symbol] = {}
        try:
            status = layer.status(symbol, first, last).with_failures(failed)
        except TradingError as error:
            problems[symbol] = str(error)
            continue
        for key, state in zip(status.keys, status.states, strict=True):
            stretch = Stretch.of_file(key.relative_path)
            found[symbol][stretch] = _cell(key, stretch, state, gaps)
    columns = _from_first_stored(found)
    rows = [
        GridRow(symbol, tuple(cells.get(one) for one in columns), problems.get(symbol, ""))
        for symbol, cells in found.items()
    ]
    return Grid(tuple(one.label for one in columns), tuple(rows), _counts(rows))


def _from_first_stored(found: dict[str, dict[Stretch, GridCell]]) -> list[Stretch]:
    """The columns in order, from the first of which anything is stored."""
    columns = sorted({stretch for cells in found.values() for stretch in cells})
    stored = (
        i
        for i, one in enumerate(columns)
        if any(cells[one].status != "missing" for cells in found.values() if one in cells)
    )
    return columns[next(stored, 0) :]


def _cell(
    key: PartitionKey, stretch: Stretch, state: PartitionStatus, gaps: set[tuple[str, date]]
) -> GridCell:
    lacks = any(s == key.symbol and stretch.overlaps(day, day) for s, day in gaps)
    name = GAP if lacks and state is not PartitionStatus.MISSING else state.value
    return GridCell(name, SIGNS[name][0], key.relative_path, f"{key.label}: {name}")


def _gaps(desk: Desk, layer: Layer, first: date, last: date) -> set[tuple[str, date]]:
    """The sessions of bronze that lack bars, by symbol."""
    if layer.kind != "bronze" or layer.interval is None:
        return set()
    with desk.services.database.connection() as database:
        found = open_gap_sessions(database, first, last)
    return {(symbol, day) for symbol, interval, day in found if interval == layer.interval.value}


def _counts(rows: Iterable[GridRow]) -> dict[str, int]:
    names = [cell.status for row in rows for cell in row.cells if cell is not None]
    return {name: names.count(name) for name in SIGNS if name in names}


def _last_runs(desk: Desk) -> tuple[dict[str, Run], str]:
    """The newest run of each name, and what is to be said when that is not known."""
    if desk.services.runs is None:
        return {}, "No Prefect server is named, so failed runs are not known here."
    try:
        recent = desk.services.runs.recent(_RUNS, 0)
    except RunsUnavailableError:
        return {}, "The Prefect server does not answer, so failed runs are not known now."
    found: dict[str, Run] = {}
    for run in recent:
        found.setdefault(run.name, run)
    return found, ""


def _run_url(desk: Desk, run_id: str) -> str:
    ui = desk.settings.prefect_ui
    return f"{ui.rstrip('/')}/runs/flow-run/{run_id}" if ui and run_id else ""


def _last(desk: Desk, layer: Layer) -> date:
    """The last day of a layer's grid: today, or what the lake has beyond it.

    While a replay tells an earlier time the lake goes on all the same: what was made of later
    sessions is there, and may be looked at and redone. Days to come are in no grid.
    """
    today = _date(desk.settings.now())
    wall = today if desk.settings.wall is None else _date(desk.settings.wall())
    if wall <= today:
        return today
    return max(today, min(layer.last_stored() or today, wall))


def _date(moment: datetime) -> date:
    return moment.astimezone(NEW_YORK).date()
