"""The report's charts as Vega-Lite specifications, and as pictures.

Colours are CSS variables of the page, so that one picture serves light and dark; for a picture
that stands alone the same names stand for fixed colours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import vl_convert

from trading.arrays import Floats
from trading.report.content import ReportContent, histogram
from trading.report.timeline import Timeline

Spec = dict[str, Any]

LIGHT = {
    "ink": "#1b2430", "muted": "#5b6675", "grid": "#e3e7ec", "accent": "#1f5fd0",
    "other": "#8a94a3", "gain": "#12805c", "loss": "#c2402e", "vix": "#b07208",
}  # fmt: skip
"""Colours of a picture that stands alone, on white."""

FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class Look:
    """How wide a chart is, and what its colours are.

    Attributes:
        width: Of the plot in pixels, without the axis.
        narrow: Whether it is for a phone: fewer labels.
        colour: A colour's value by its name in `LIGHT`.
    """

    width: int
    narrow: bool
    colour: Callable[[str], str]

    @property
    def ticks(self) -> int:
        """Most labels along the horizontal axis."""
        return 4 if self.narrow else 9


def _variable(name: str) -> str:
    return f"var(--{name})"


HALF = Look(width=430, narrow=True, colour=_variable)
WIDE = Look(width=900, narrow=False, colour=_variable)
NARROW = Look(width=290, narrow=True, colour=_variable)
ALONE = Look(width=760, narrow=False, colour=LIGHT.__getitem__)

C = TypeVar("C")

Chart = Callable[[ReportContent, Look], Spec]


def svg(chart: Callable[[C, Look], Spec], content: C, look: Look) -> str:
    """The chart as an SVG element that fills the width it is given."""
    text: str = vl_convert.vegalite_to_svg(_complete(chart(content, look), look))
    text = re.sub(r'(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', r"\1", text, count=1)
    # What Vega writes on every mark and the page does not need: a third of the size.
    return re.sub(r' (?:stroke-miterlimit="10"|aria-roledescription="[^"]*"|opacity="1")', "", text)


def png(chart: Chart, content: ReportContent) -> bytes:
    """The chart as a picture that stands alone, on white, at twice the pixels."""
    spec = _complete(chart(content, ALONE), ALONE) | {"background": "white"}
    picture: bytes = vl_convert.vegalite_to_png(spec, scale=1.5)
    return picture


def _complete(spec: Spec, look: Look) -> Spec:
    ink, muted, grid = (look.colour(name) for name in ("ink", "muted", "grid"))
    size = 11 if look.narrow else 12
    axis = {
        "labelColor": muted, "titleColor": muted, "gridColor": grid, "domain": False,
        "ticks": False, "labelPadding": 6, "labelFontSize": size, "titleFontSize": size,
        "titleFontWeight": "normal", "titlePadding": 8, "labelOverlap": False,
    }  # fmt: skip
    legend = {
        "labelColor": ink, "labelFontSize": size, "orient": "top", "title": None,
        "symbolType": "square", "offset": 4, "columnPadding": 14,
    }  # fmt: skip
    config = {
        "font": FONT, "view": {"stroke": None}, "axis": axis, "legend": legend, "aria": False,
        "title": {"color": muted, "fontSize": size, "fontWeight": "normal", "anchor": "start"},
        "concat": {"spacing": 14},
    }  # fmt: skip
    schema = "https://vega.github.io/schema/vega-lite/v5.json"
    return {"$schema": schema, "background": None, "padding": 4, "config": config, **spec}


def equity(content: ReportContent, look: Look) -> Spec:
    """Equity against the S&P 500, drawdown under it, and the VIX."""
    time, series = content.time, content.aggregation.portfolio.timeseries
    held = np.array(series["equity"].to_pylist())
    fallen = np.array(series["drawdown_pct"].to_pylist())
    index = content.benchmark.equity if content.benchmark else np.full(len(held), np.nan)
    columns = {
        "equity": 100 * (time.last(held) - 1),
        "index": 100 * (time.last(index) - 1),
        "drawdown": time.least(fallen),
        "vix": time.mean(content.market.vix),
    }
    rows = rows_of(time, columns)
    for row in rows:
        row["tip"] = (
            f"{row['label']}: portfolio {_pct(row['equity'])}, S&P 500 {_pct(row['index'])}, "
            f"drawdown {_pct(row['drawdown'])}, VIX {_number(row['vix'])}"
        )
    vix = []
    if domain := _around(columns["vix"]):
        area = _area("vix", "vix", look, domain)
        vix = [panel("VIX", [area], time, look, 56, last=True)]
    lines = [
        *([line("index", "other", look, width=1.5)] if content.benchmark else []),
        line("equity", "accent", look, width=2.2),
    ]
    return {
        "data": {"values": rows},
        "resolve": {"scale": {"x": "shared"}},
        "vconcat": [
            panel("Profit and loss since the start, %", lines, time, look, 230),
            panel("Drawdown, %", [_area("drawdown", "loss", look)], time, look, 80, last=not vix),
            *vix,
        ],
    }


def thresholds(content: ReportContent, look: Look) -> Spec:
    """The band between the thresholds: inside it a change makes no signal."""
    time, market = content.time, content.market
    rows = rows_of(
        time, {"buy": time.mean(market.buy_threshold), "sell": time.mean(market.sell_threshold)}
    )
    for row in rows:
        row["tip"] = f"{row['label']}: buy above {_pct(row['buy'])}, sell below {_pct(row['sell'])}"
    band = {
        "mark": {"type": "area", "color": look.colour("other"), "opacity": 0.18,
                 "interpolate": "step"},
        "encoding": {"y": y_axis("sell"), "y2": {"field": "buy"}},
    }  # fmt: skip
    layers = [band, line("buy", "gain", look, step=True), line("sell", "loss", look, step=True)]
    made = panel("Change that makes a signal, %", layers, time, look, 180, last=True)
    return {"data": {"values": rows}, **made}


def regimes(content: ReportContent, look: Look) -> Spec:
    """Share of sell, hold and buy signals in each band of the VIX."""
    rows: list[dict[str, Any]] = []
    for regime in content.regimes:
        holds = regime.rows - regime.buys - regime.sells
        counts = (("sell", regime.sells), ("hold", holds), ("buy", regime.buys))
        for order, (signal, count) in enumerate(counts):
            share = 100 * count / regime.rows if regime.rows else 0.0
            tip = f"VIX {band(regime.low, regime.high)}: {count:,} {signal} ({share:.1f} %)"
            rows.append(
                {
                    "band": band(regime.low, regime.high),
                    "signal": signal,
                    "share": share,
                    "order": order,
                    "tip": tip,
                }
            )
    names = list(dict.fromkeys(row["band"] for row in rows))
    colours = [look.colour(name) for name in ("loss", "grid", "gain")]
    return {
        "data": {"values": rows},
        "width": look.width - 70,
        "height": {"step": 38},
        "mark": {"type": "bar", "aria": True},
        "encoding": {
            "y": {"field": "band", "type": "nominal", "sort": names,
                  "axis": {"title": None, "minExtent": 96}},
            "x": {"field": "share", "type": "quantitative", "scale": {"domain": [0, 100]},
                  "axis": {"title": "Share of signals, %", "tickCount": 5}},
            "color": {"field": "signal", "type": "nominal",
                      "scale": {"domain": ["sell", "hold", "buy"], "range": colours}},
            "order": {"field": "order"},
            "description": {"field": "tip"},
        },
    }  # fmt: skip


def trade_returns(content: ReportContent, look: Look) -> Spec:
    """How the trades' returns are distributed."""
    edges, counts = histogram(content.trade_returns)
    digits = max(1, 1 - math.floor(math.log10(edges[-1] - edges[0])))
    rows = [
        {"low": low, "high": high, "count": int(count), "side": "gain" if low >= 0 else "loss",
         "tip": f"{low:+.{digits + 1}f} to {high:+.{digits + 1}f} %: {count:,} trades"}
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]  # fmt: skip
    return {
        "data": {"values": rows},
        "width": look.width,
        "height": 190,
        "mark": {"type": "bar", "aria": True, "binSpacing": 1},
        "encoding": {
            "x": {"field": "low", "type": "quantitative", "bin": {"binned": True},
                  "axis": {"title": "Return of a trade after costs, %", "grid": False,
                           "tickCount": look.ticks, "format": f"+.{digits}~f"}},
            "x2": {"field": "high"},
            "y": {"field": "count", "type": "quantitative",
                  "axis": count_axis(max(counts, default=0))},
            "color": {"field": "side", "type": "nominal", "legend": None,
                      "scale": {"domain": ["loss", "gain"],
                                "range": [look.colour("loss"), look.colour("gain")]}},
            "description": {"field": "tip"},
        },
    }  # fmt: skip


def count_axis(most: float) -> dict[str, Any]:
    """An axis of counts, which has no tick between whole numbers."""
    return {"title": "Trades", "tickCount": max(1, min(5, int(most))), "format": "~s"}


def band(low: float, high: float) -> str:
    """A band of the VIX in words."""
    if not np.isfinite(high):
        return f"{low:.0f} and more"
    return f"below {high:.0f}" if low == 0 else f"{low:.0f} to {high:.0f}"


def rows_of(time: Timeline, columns: dict[str, Floats]) -> list[dict[str, Any]]:
    """A row per bin: its place, its label and its values, None where there is none."""
    labels = time.labels()
    return [
        {"at": i, "mid": i + 0.5, "next": i + 1, "label": labels[i]}
        | {name: float(v[i]) if np.isfinite(v[i]) else None for name, v in columns.items()}
        for i in range(time.bins)
    ]


def x_axis(time: Timeline, look: Look, name: str, *, last: bool = True) -> Spec:
    """The horizontal place of a mark, in bins, with names of times."""
    ticks = time.ticks(look.ticks)
    names = ", ".join(f"'{i}': '{name}'" for i, name in ticks.items())
    axis = {"values": list(ticks), "labelExpr": f"{{{names}}}[datum.value]", "title": None,
            "labelAlign": "left", "labels": last}  # fmt: skip
    return {
        "field": name,
        "type": "quantitative",
        "axis": axis,
        "scale": {"domain": [0, time.bins], "nice": False},
    }


def y_axis(name: str, *, ticks: int = 5) -> Spec:
    """The vertical place of a mark, by a column of the rows."""
    axis = {"title": None, "tickCount": ticks, "minExtent": 40}
    return {"field": name, "type": "quantitative", "axis": axis}


def panel(
    title: str, layers: Sequence[Spec], time: Timeline, look: Look, height: int, *,
    last: bool = False,
) -> Spec:  # fmt: skip
    """Layers over one axis of time, and what tells their values under the pointer."""
    x = x_axis(time, look, "mid", last=last)
    # A line through one bar would not be seen.
    point = {"point": True} if time.bins == 1 else {}
    marks = [
        {"mark": layer["mark"] | point, "encoding": layer["encoding"] | {"x": x}}
        for layer in layers
    ]
    over = {
        "mark": {"type": "rect", "opacity": 0, "aria": True},
        "encoding": {
            "x": x_axis(time, look, "at", last=last),
            "x2": {"field": "next"},
            "description": {"field": "tip"},
        },
    }
    return {"title": title, "width": look.width, "height": height, "layer": [*marks, over]}


def line(name: str, colour: str, look: Look, *, width: float = 1.5, step: bool = False) -> Spec:
    """A line through a column of the rows."""
    mark = {"type": "line", "color": look.colour(colour), "strokeWidth": width,
            "strokeJoin": "round"}  # fmt: skip
    if step:
        mark["interpolate"] = "step"
    return {"mark": mark, "encoding": {"y": y_axis(name)}}


def _area(name: str, colour: str, look: Look, domain: list[float] | None = None) -> Spec:
    value = look.colour(colour)
    line = {"color": value, "strokeWidth": 1.2}
    mark = {"type": "area", "color": value, "opacity": 0.28, "line": line, "clip": True}
    y = y_axis(name, ticks=3)
    return {"mark": mark, "encoding": {"y": y | ({"scale": {"domain": domain}} if domain else {})}}


def _around(values: Floats) -> list[float] | None:
    """A scale that shows how values far from zero move; None where there are none."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    return [float(np.floor(0.9 * known.min())), float(np.ceil(1.05 * known.max()))]


def _pct(value: float | None) -> str:
    return "n/a" if value is None else f"{value:+.2f} %"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.1f}"
