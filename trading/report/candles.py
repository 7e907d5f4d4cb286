"""The page of one symbol's signals: candles, averages, the band and what the strategy said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from trading.arrays import Floats, Timestamps
from trading.report.charts import (
    NARROW,
    WIDE,
    Look,
    Spec,
    line,
    panel,
    rows_of,
    svg,
    y_axis,
)
from trading.report.timeline import Timeline, timeline
from trading.strategies.protocol import BUY, SELL, SIGNAL_NAMES

MAX_CANDLES = 160
"""Most bars in a picture; on a phone half as many, the last ones."""

SHORT, LONG = ("ema_8", "ema_13"), ("ema_144", "ema_169")
"""The pairs of averages that are drawn, where the columns have them."""

BAND = ("bollinger_lower", "bollinger_upper")

LISTED_SIGNALS = 20
"""Most signals that the table names, the last ones."""


@dataclass(frozen=True, slots=True, eq=False)
class SignalSeries:
    """The last bars of one symbol and interval with what gold says of them, arrays of shape (n,).

    Attributes:
        symbol: The symbol.
        interval: The length of the bars.
        timestamps: Bar starts, UTC.
        open: Adjusted dollars.
        high: The same.
        low: The same.
        close: The same.
        columns: Averages and bands by name, NaN where null.
        signal: int8: buy, hold or sell.
    """

    symbol: str
    interval: str
    timestamps: Timestamps
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    columns: Mapping[str, Floats]
    signal: npt.NDArray[np.int8]

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.timestamps)


@dataclass(frozen=True, slots=True)
class SignalPage:
    """What a page tells beside its charts.

    Attributes:
        symbol: The symbol.
        strategy: The strategy's name and version.
        parameters: Its parameters, as text.
        actions: The corporate actions that the last partition is adjusted for, as text.
        fingerprints: Of each interval's last partition, by interval.
        made_at: When the page was made, as text.
        command: The shell command that makes what is not up to date again.
    """

    symbol: str
    strategy: str
    parameters: str
    actions: str
    fingerprints: Mapping[str, str]
    made_at: str
    command: str


def signal_page(page: SignalPage, series: Sequence[SignalSeries]) -> str:
    """One HTML document that refers to nothing outside itself.

    Args:
        page: What it tells.
        series: A section each; one without bars says so.
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    sections = [
        {
            "interval": one.interval,
            "bars": len(one),
            "counts": {name: int((one.signal == code).sum()) for code, name in _NAMED.items()},
            "pictures": _pictures(one),
            "signals": _signals(one),
        }
        for one in series
    ]
    return environment.from_string(_resource("signals.html")).render(
        page=page,
        sections=sections,
        style=Markup(_resource("tokens.css") + _resource("report.css")),  # noqa: S704 - our own file
        script=Markup(_resource("report.js")),  # noqa: S704 - our own file
    )


def candles(series: SignalSeries, look: Look) -> Spec:
    """The last bars as candles, with averages, the band and the signals."""
    shown = MAX_CANDLES // 2 if look.narrow else MAX_CANDLES
    first = max(0, len(series) - shown)
    time = timeline(series.timestamps[first:], shown)
    rows = rows_of(time, _values(series, first))
    for row, code in zip(rows, series.signal[first:].tolist(), strict=True):
        row["rises"] = (row["close"] or 0) >= (row["open"] or 0)
        row["buys"] = row["low"] if code == BUY else None
        row["sells"] = row["high"] if code == SELL else None
        prices = ", ".join(f"{name} {row[name]:.6g}" for name in _PRICES if row[name] is not None)
        row["tip"] = f"{row['label']}: {prices}; {SIGNAL_NAMES[code]}"
    drawn = [name for name in (*LONG, *SHORT) if name in series.columns]
    layers = [
        *([_band(look)] if set(BAND) <= set(series.columns) else []),
        *(line(name, "vix" if name in LONG else "accent", look, width=1.2) for name in drawn),
        _wick(look),
        _body(time, look),
        _marker("buys", "triangle-up", "gain", look, 9),
        _marker("sells", "triangle-down", "loss", look, -9),
    ]
    made = panel("Adjusted price, $", layers, time, look, 340, last=True)
    for layer in made["layer"]:
        if "y" in layer["encoding"]:
            layer["encoding"]["y"] = layer["encoding"]["y"] | {"scale": {"zero": False}}
    return {"data": {"values": rows}, **made}


_PRICES = ("open", "high", "low", "close")
_NAMED = {BUY: "buy", SELL: "sell"}


def _values(series: SignalSeries, first: int) -> dict[str, Floats]:
    values = {name: getattr(series, name)[first:] for name in _PRICES}
    names = (*LONG, *SHORT, *BAND)
    return values | {n: series.columns[n][first:] for n in names if n in series.columns}


def _band(look: Look) -> Spec:
    mark = {"type": "area", "color": look.colour("other"), "opacity": 0.16}
    return {"mark": mark, "encoding": {"y": y_axis(BAND[0]), "y2": {"field": BAND[1]}}}


def _wick(look: Look) -> Spec:
    mark = {"type": "rule", "strokeWidth": 1}
    return {
        "mark": mark,
        "encoding": {"y": y_axis("low"), "y2": {"field": "high"}, "color": _side(look)},
    }


def _body(time: Timeline, look: Look) -> Spec:
    mark = {"type": "bar", "size": max(1.0, 0.7 * look.width / max(1, time.bins))}
    return {
        "mark": mark,
        "encoding": {"y": y_axis("open"), "y2": {"field": "close"}, "color": _side(look)},
    }


def _side(look: Look) -> Spec:
    colours = [look.colour("gain"), look.colour("loss")]
    return {
        "field": "rises",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": [True, False], "range": colours},
    }


def _marker(name: str, shape: str, colour: str, look: Look, below: int) -> Spec:
    mark = {
        "type": "point", "shape": shape, "filled": True, "size": 60, "opacity": 1,
        "color": look.colour(colour), "yOffset": below,
    }  # fmt: skip
    return {"mark": mark, "encoding": {"y": y_axis(name)}}


def _pictures(series: SignalSeries) -> list[tuple[str, Markup]]:
    if not len(series):
        return []
    return [
        (width, Markup(svg(candles, series, look)))  # noqa: S704 - Vega escapes
        for width, look in (("wide", WIDE), ("narrow", NARROW))
    ]


def _signals(series: SignalSeries) -> list[dict[str, Any]]:
    """The last signals, the latest first."""
    at = np.flatnonzero(series.signal)[-LISTED_SIGNALS:][::-1]
    if not len(at):
        return []
    labels = timeline(series.timestamps[at][::-1], len(at)).labels()[::-1]
    return [
        {"when": label, "signal": _NAMED[int(series.signal[i])], "close": f"{series.close[i]:.6g}"}
        for label, i in zip(labels, at.tolist(), strict=True)
    ]


def _resource(name: str) -> str:
    return (files("trading.report") / name).read_text(encoding="utf-8")
