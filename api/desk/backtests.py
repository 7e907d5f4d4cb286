"""The backtests that the lake has of a strategy, and their sweeps as heat maps."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from lake.backtests.contents import read_fold, read_set
from lake.backtests.request import BACKTEST, WALK_FORWARD
from lake.backtests.stored import stored_keys
from lake.files import stored_metadata
from lake.folders import folders_in
from storage.directory import open_directory
from storage.errors import ContentError
from trading.backtest.sweep.folds import FoldResult
from trading.backtest.sweep.ranking import Ranking, SetResult

SHADES = 5
"""Of a heat map on either side of zero."""

_STEEPEST = 3.0
"""The Sharpe ratio that has the strongest shade."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The sets that were tried on one account, with the same bars and assumptions.

    Attributes:
        interval: Of the bars.
        account: The symbol, or `portfolio`.
        first: The first bar.
        last: The last bar.
        bars: How many there are.
        version: Of the strategy.
        costs: What was assumed, as texts.
        ranking: The sets, the best in sample first.
    """

    interval: str
    account: str
    first: str
    last: str
    bars: str
    version: str
    costs: str
    ranking: Ranking


@dataclass(frozen=True, slots=True)
class HeatCell:
    """The mean Sharpe ratio of the sets at two values; None where there is none."""

    sharpe: float | None
    shade: str


@dataclass(frozen=True, slots=True)
class Heat:
    """A sweep over its two parameters that vary most.

    Attributes:
        across: The parameter of the columns.
        down: The parameter of the rows; empty where one alone varies.
        columns: Its values.
        rows: Each row's value, and its cells in sample and out of sample.
        others: Parameters that vary too, over which cells are means.
    """

    across: str
    down: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...], tuple[HeatCell, ...]], ...]
    others: tuple[str, ...]


def tested_strategies(lake_dir: str) -> dict[str, int]:
    """How many intervals have backtests, by strategy.

    Raises:
        StorageError: The lake cannot be listed.
    """
    lake = open_directory(lake_dir, "lake_dir")
    return {
        name: len(folders_in(lake, f"{BACKTEST}/{name}")) for name in folders_in(lake, BACKTEST)
    }


def sweeps(lake_dir: str, strategy: str) -> list[Sweep]:
    """The sweeps of a strategy, those with the most sets first.

    Raises:
        StorageError: The lake cannot be read.
    """
    lake = open_directory(lake_dir, "lake_dir")
    groups: dict[tuple[str, ...], list[SetResult]] = {}
    for key, _ in stored_keys(lake, dataset=BACKTEST, strategy=strategy):
        interval, account = key.folder.rpartition("/")[2], key.symbol
        metadata = stored_metadata(lake, key.relative_path, BACKTEST, account)
        named = tuple(
            metadata.get(name, "")
            for name in ("first", "last", "bars", "strategy_version", "assumptions")
        )
        try:
            groups.setdefault((interval, account, *named), []).append(read_set(lake, key))
        except ContentError:
            continue  # counts as absent, as when work is planned
    found = [_sweep(key, results) for key, results in groups.items()]
    return sorted(found, key=lambda sweep: (-sweep.ranking.tried, sweep.interval, sweep.account))


def walked_folds(lake_dir: str, strategy: str) -> list[tuple[str, FoldResult]]:
    """The walk-forward folds of a strategy with their interval, in order.

    Raises:
        StorageError: The lake cannot be read.
    """
    lake = open_directory(lake_dir, "lake_dir")
    found = []
    for key, _ in stored_keys(lake, dataset=WALK_FORWARD, strategy=strategy):
        try:
            found.append((key.folder.rpartition("/")[2], read_fold(lake, key)))
        except ContentError:
            continue
    return sorted(found, key=lambda one: (one[0], one[1].symbol, one[1].first, one[1].number))


def heat_of(sweep: Sweep) -> Heat | None:
    """The heat map of a sweep; None where no parameter varies."""
    results = sweep.ranking.results
    values = {
        name: sorted({_sortable(one.parameters.get(name)) for one in results})
        for name in (results[0].parameters if results else ())
    }
    varying = sorted((n for n, v in values.items() if len(v) > 1), key=lambda n: -len(values[n]))
    if not varying:
        return None
    across, down = varying[0], varying[1] if len(varying) > 1 else ""
    columns = values[across]
    rows = values[down] if down else [("", "")]
    cells: dict[tuple[Any, Any], list[SetResult]] = {}
    for one in results:
        place = _sortable(one.parameters.get(down)) if down else ("", "")
        cells.setdefault((place, _sortable(one.parameters.get(across))), []).append(one)
    return Heat(
        across,
        down,
        tuple(str(value) for _, value in columns),
        tuple(
            (
                str(row[1]),
                tuple(_cell(cells.get((row, c), ()), in_sample=True) for c in columns),
                tuple(_cell(cells.get((row, c), ()), in_sample=False) for c in columns),
            )
            for row in rows
        ),
        tuple(varying[2:]),
    )


def _sweep(key: Sequence[str], results: Sequence[SetResult]) -> Sweep:
    interval, account, first, last, bars, version, assumptions = key
    return Sweep(
        interval,
        account,
        first[:16].replace("T", " "),
        last[:16].replace("T", " "),
        bars,
        version,
        _costs(assumptions),
        Ranking.of(results, len(results)),
    )


def _costs(assumptions: str) -> str:
    try:
        found: Mapping[str, Any] = json.loads(assumptions)
    except ValueError:
        return ""
    return ", ".join(
        f"{name.replace('_', ' ')} {_assumed(value)}"
        for name, value in found.items()
        if isinstance(value, int | float | str)
    )


def _assumed(value: float | str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:,}"


def _cell(results: Sequence[SetResult], *, in_sample: bool) -> HeatCell:
    parts = [one.parts.in_sample if in_sample else one.parts.out_of_sample for one in results]
    known = [part.sharpe for part in parts if math.isfinite(part.sharpe)]
    if not known:
        return HeatCell(None, "")
    sharpe = fmean(known)
    step = min(SHADES, math.ceil(abs(sharpe) / _STEEPEST * SHADES))
    return HeatCell(sharpe, f"{'h' if sharpe > 0 else 'c'}{step}" if step else "")


def _sortable(value: Any) -> tuple[str, Any]:  # noqa: ANN401 - JSON
    """Numbers among numbers, texts among texts."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "", value
    return "text", str(value)
