"""The charts of a sweep as Vega-Lite specifications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trading.arrays import Floats
from trading.backtest.sweep.ranking import Ranking, SetResult
from trading.report.charts import Look, Spec, count_axis, line, panel, rows_of, y_axis
from trading.report.timeline import timeline

if TYPE_CHECKING:
    from trading.report.backtest_page import BacktestContent

MOST_VALUES = 12
"""Most rows and columns of a heat map; more values share one."""

FEW = 6
"""Most columns of a heat map whose cells have room for their number."""

HISTOGRAM_BINS = 30


def equity(content: BacktestContent, look: Look) -> Spec:
    """The best set's return since the start beside buying and holding, and its drawdown."""
    course = content.course
    time = timeline(course.timestamps)
    worth = np.cumprod(1.0 + course.returns).astype(np.float64)
    peaks = np.maximum.accumulate(np.maximum(worth, 1.0))
    columns = {
        "equity": 100 * (time.last(worth) - 1),
        "held": 100 * (time.last(content.benchmark) - 1),
        "drawdown": time.least(100 * (worth / peaks - 1)),
    }
    rows = rows_of(time, columns)
    split = int(time.bin_of[content.split])
    for row in rows:
        part = "held back" if row["at"] >= split else "in sample"
        row["tip"] = (
            f"{row['label']} ({part}): {_pct(row['equity'])}, buy and hold {_pct(row['held'])}, "
            f"drawdown {_pct(row['drawdown'])}"
        )
    lines = [
        _held_back(split, time.bins, look),
        line("held", "other", look, width=1.5),
        line("equity", "accent", look, width=2.2),
    ]
    made = panel("Return since the start, %", lines, time, look, 250)
    # The shaded part has places of its own, which `panel` gave every layer anew.
    made["layer"][0] = lines[0]
    mark = {"type": "area", "color": look.colour("loss"), "opacity": 0.28, "clip": True}
    fall = {"mark": mark, "encoding": {"y": y_axis("drawdown", ticks=3)}}
    return {
        "data": {"values": rows},
        "resolve": {"scale": {"x": "shared"}},
        "vconcat": [made, panel("Drawdown, %", [fall], time, look, 90, last=True)],
    }


def trades(content: BacktestContent, look: Look) -> Spec:
    """How what positions earned is distributed."""
    pnl = content.course.pnl
    low, high = np.quantile(pnl, (0.005, 0.995))
    if low == high:
        low, high = low - 1.0, high + 1.0
    # Zero is an edge, so that no bar is of gains and losses alike.
    step = (high - low) / HISTOGRAM_BINS
    edges = np.arange(np.floor(low / step), np.ceil(high / step) + 1) * step
    counts, _ = np.histogram(np.clip(pnl, edges[0], edges[-1]), edges)
    rows = [
        {"low": a, "high": b, "count": int(n), "side": "gain" if a >= -step / 2 else "loss",
         "tip": f"{a:,.0f} to {b:,.0f} $: {n:,} trades"}
        for a, b, n in zip(edges.tolist(), edges[1:].tolist(), counts.tolist(), strict=False)
    ]  # fmt: skip
    return {
        "data": {"values": rows},
        "width": look.width,
        "height": 190,
        "mark": {"type": "bar", "aria": True, "binSpacing": 1},
        "encoding": {
            "x": {"field": "low", "type": "quantitative", "bin": {"binned": True},
                  "axis": {"title": "What a trade earned after fees, $", "grid": False,
                           "tickCount": 5, "format": "~s"}},
            "x2": {"field": "high"},
            "y": {"field": "count", "type": "quantitative",
                  "axis": count_axis(counts.max())},
            "color": {"field": "side", "type": "nominal", "legend": None,
                      "scale": {"domain": ["loss", "gain"],
                                "range": [look.colour("loss"), look.colour("gain")]}},
            "description": {"field": "tip"},
        },
    }  # fmt: skip


def scatter(content: BacktestContent, look: Look) -> Spec:
    """Each set's Sharpe ratio held back over that in sample; the best one in sample stands out."""
    rows = [
        {
            "inside": one.parts.in_sample.sharpe,
            "outside": one.parts.out_of_sample.sharpe,
            "best": i == 0,
            "tip": f"{one.name}: in sample {one.parts.in_sample.sharpe:.2f}, held back "
            f"{one.parts.out_of_sample.sharpe:.2f}",
        }
        for i, one in enumerate(content.ranking.results)
        if np.isfinite([one.parts.in_sample.sharpe, one.parts.out_of_sample.sharpe]).all()
    ]
    axes = {
        name: {"field": field, "type": "quantitative", "scale": {"zero": False},
               "axis": {"title": title, "tickCount": 5}}
        for name, field, title in (
            ("x", "inside", "Sharpe ratio in sample"),
            ("y", "outside", "Sharpe ratio held back"),
        )
    }  # fmt: skip
    colours = [look.colour("other"), look.colour("accent")]
    return {
        "data": {"values": rows[::-1]},
        "width": look.width - 20,
        "height": 220,
        "mark": {"type": "point", "filled": True, "size": 45, "opacity": 0.7, "aria": True},
        "encoding": {
            **axes,
            "color": {"field": "best", "type": "nominal", "legend": None,
                      "scale": {"domain": [False, True], "range": colours}},
            "description": {"field": "tip"},
        },
    }  # fmt: skip


def map_in_sample(content: BacktestContent, look: Look) -> Spec:
    """Mean Sharpe ratio in sample by the two parameters that vary most, or the one that does."""
    sharpes = np.array([one.parts.in_sample.sharpe for one in content.ranking.results])
    return _map(content.ranking, sharpes, "in sample", look)


def map_out_of_sample(content: BacktestContent, look: Look) -> Spec:
    """The same of what was held back."""
    sharpes = np.array([one.parts.out_of_sample.sharpe for one in content.ranking.results])
    return _map(content.ranking, sharpes, "held back", look)


def varied(ranking: Ranking) -> list[str]:
    """The parameters of which several values were tried, those with most of them first."""
    counts = {
        name: len({str(one.parameters[name]) for one in ranking.results})
        for name in ranking.results[0].parameters
    }
    return sorted((n for n, count in counts.items() if count > 1), key=lambda n: -counts[n])


def _map(ranking: Ranking, sharpes: Floats, what: str, look: Look) -> Spec:
    across, *others = varied(ranking)[:2]
    down = others[0] if others else ""
    columns, rows_ = (_groups(ranking.results, name) for name in (across, down))
    cells: dict[tuple[int, int], list[float]] = {}
    for column, row, sharpe in zip(columns.of, rows_.of, sharpes.tolist(), strict=True):
        if np.isfinite(sharpe):
            cells.setdefault((column, row), []).append(sharpe)
    means = {place: float(np.mean(found)) for place, found in cells.items()}
    strongest = max(map(abs, means.values()), default=1.0) or 1.0
    rows = [
        {"x": columns.names[x], "y": rows_.names[y], "side": "gain" if mean > 0 else "loss",
         "shade": abs(mean) / strongest, "text": f"{mean:.2f}",
         "tip": f"{across} {columns.names[x]}{f', {down} {rows_.names[y]}' if down else ''}: "
                f"Sharpe ratio {what} {mean:.2f}, mean of {len(cells[x, y])}"}
        for (x, y), mean in means.items()
    ]  # fmt: skip
    place = {
        "x": {"field": "x", "type": "nominal", "sort": columns.names,
              "axis": {"title": across, "labelAngle": -45 if len(columns.names) > FEW else 0}},
        # Browsers draw names wider than is reckoned with here: they have room, and no title beside
        # them, which they would lie on.
        "y": {"field": "y", "type": "nominal", "sort": rows_.names[::-1],
              "axis": {"title": None, "minExtent": 7 * max(map(len, rows_.names))}},
    }  # fmt: skip
    tiles = {
        "mark": {"type": "rect", "aria": True},
        "encoding": place | {
            "color": {"field": "side", "type": "nominal", "legend": None,
                      "scale": {"domain": ["loss", "gain"],
                                "range": [look.colour("loss"), look.colour("gain")]}},
            "opacity": {"field": "shade", "type": "quantitative", "legend": None,
                        "scale": {"domain": [0, 1], "range": [0.08, 0.85]}},
            "description": {"field": "tip"},
        },
    }  # fmt: skip
    text = {
        "mark": {"type": "text", "fontSize": 10, "color": look.colour("ink")},
        "encoding": place | {"text": {"field": "text"}},
    }
    layers = [tiles, text] if len(columns.names) <= FEW else [tiles]
    return {
        "data": {"values": rows},
        "title": f"Sharpe ratio {what}{f': {down} by {across}' if down else ''}",
        "width": look.width - 70,
        "height": {"step": 26},
        "layer": layers,
    }


class _Groups:
    """Values of a parameter in order, neighbours together where there are many."""

    def __init__(self, names: list[str], of: list[int]) -> None:
        self.names = names
        self.of = of


def _groups(results: Sequence[SetResult], name: str) -> _Groups:
    values: list[Any] = [one.parameters[name] if name else "" for one in results]
    known = sorted(set(map(str, values)), key=_order(values))
    width = -(-len(known) // MOST_VALUES)
    parts = [known[i : i + width] for i in range(0, len(known), width)]
    names = [part[0] if len(part) == 1 else f"{part[0]} to {part[-1]}" for part in parts]
    place = {text: i for i, part in enumerate(parts) for text in part}
    return _Groups(names, [place[str(value)] for value in values])


def _order(values: Sequence[Any]) -> Any:  # noqa: ANN401 - a key of `sorted`
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return float if numeric else str


def _held_back(split: int, bins: int, look: Look) -> Spec:
    """The stretch that was held back, shaded."""
    return {
        "data": {"values": [{"from": split, "to": bins}]},
        "mark": {"type": "rect", "color": look.colour("other"), "opacity": 0.13},
        "encoding": {
            "x": {"field": "from", "type": "quantitative"},
            "x2": {"field": "to"},
        },
    }


def _pct(value: float | None) -> str:
    return "n/a" if value is None else f"{value:+.2f} %"
