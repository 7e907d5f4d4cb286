"""The page: the report's content in the template."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from trading.instruments.clock import NEW_YORK
from trading.report import charts, heat_map
from trading.report.content import ReportContent
from trading.report.headlines import headlines, number


def page(content: ReportContent, command: str, prune: str) -> str:
    """The report as one HTML document that refers to nothing outside itself.

    Args:
        content: What it shows.
        command: The shell command that makes it again.
        prune: The shell command that removes results that nothing asks for.
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["when"] = _when
    environment.filters["bar_time"] = _bar_time
    template = environment.from_string(_resource("report.html"))
    held = content.aggregation.portfolio
    return template.render(
        summary=held.summary,
        origin=content.aggregation.origin,
        output_dir=content.aggregation.output_dir,
        content=content,
        command=command,
        prune=prune,
        wanted=content.aggregation.wanted,
        metrics=content.aggregation.metrics,
        orphaned=content.aggregation.orphaned,
        run=content.run,
        headlines=headlines(held.summary, content.benchmark),
        pictures=_pictures(content),
        maps=_maps(content),
        has_returns=bool(np.isfinite(content.returns).any()),
        columns=_COLUMNS,
        contracts=_contract_rows(content),
        regimes=[_regime(r) for r in content.regimes],
        spread=_spread(content),
        strategies=[_parameters(text) for text in content.aggregation.origin.strategies],
        axes=Markup(_axes(content)),  # noqa: S704 - made safe there
        style=Markup(_resource("tokens.css") + _resource("report.css")),  # noqa: S704 - our own file
        script=Markup(_resource("report.js")),  # noqa: S704 - our own file
    )


def _axes(content: ReportContent) -> str:
    """The names of the heat maps' rows and columns, as JSON that may stand in a script element."""
    names = {
        "contracts": content.aggregation.portfolio.trades.contracts,
        "times": content.time.labels(),
    }
    return json.dumps(names, separators=(",", ":")).replace("<", "\\u003c")


def _resource(name: str) -> str:
    return (files("trading.report") / name).read_text(encoding="utf-8")


def _pictures(content: ReportContent) -> dict[str, list[tuple[str, Markup]]]:
    """Each chart's name -> its pictures for wide and narrow pages; none where nothing is to see."""
    wanted = {"equity": (charts.equity, charts.WIDE)}
    if np.isfinite(content.market.buy_threshold).any():
        wanted["thresholds"] = (charts.thresholds, charts.WIDE)
    if content.regimes:
        wanted["regimes"] = (charts.regimes, charts.HALF)
    if len(content.trade_returns):
        wanted["trade_returns"] = (charts.trade_returns, charts.HALF)
    return {
        name: [
            (width, Markup(charts.svg(chart, content, look)))  # noqa: S704 - Vega escapes
            for width, look in (("wide", wide), ("narrow", charts.NARROW))
        ]
        for name, (chart, wide) in wanted.items()
    }


def _maps(content: ReportContent) -> dict[str, Mapping[str, Any]]:
    made = {
        "signals": heat_map.signals(content),
        "returns": heat_map.returns(content),
        "status": heat_map.status(content),
    }
    return {
        name: {
            "source": found.data_uri(),
            "legend": [
                (heat_map.css(colour), text)
                for i, (colour, text) in enumerate(zip(found.colours, found.names, strict=True))
                if i and (name != "status" or (found.classes == i).any())
            ],
            "palette": json.dumps(
                [[*colour, text] for colour, text in zip(found.colours, found.names, strict=True)]
            ),
        }
        for name, found in made.items()
    }


_COLUMNS = (
    ("Contract", "The contract's name."),
    ("Trades", "Signals other than hold."),
    ("Win rate", "Good trades over all trades."),
    ("P&L, %", "Compounded return of this contract's trades alone, after costs."),
    ("Beta", "Least-squares slope of the contract's bar returns on the S&P 500's, all bars."),
    ("± SE", "Standard error of beta: square root of SSE / (n − 2) / Sxx."),
    ("Correlation", "Pearson's r of the same returns."),
    ("Exposure", "Share of the contract's bars with a position."),
)


def _contract_rows(content: ReportContent) -> list[list[tuple[str, str]]]:
    """Per contract, each cell's sorting value and its text."""
    table, model = content.aggregation.portfolio.contracts.to_pylist(), content.model
    rows = []
    for i, row in enumerate(table):
        values = (
            (row["trades"], "{:,}"), (row["win_rate"], "{:.1%}"), (row["pnl_pct"], "{:+.2f}"),
            (model.beta[i], "{:.3f}"), (model.standard_error[i], "{:.3f}"),
            (model.correlation[i], "{:.2f}"), (row["exposure"], "{:.1%}"),
        )  # fmt: skip
        cells = [(_sortable(value), number(value, form)) for value, form in values]
        rows.append([(row["contract"], row["contract"]), *cells])
    return rows


def _sortable(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.9g}"


def _regime(regime: Any) -> dict[str, str]:  # noqa: ANN401 - see content.Regime
    return {
        "name": regime.name,
        "band": charts.band(regime.low, regime.high),
        "bars": f"{regime.bars:,}",
        "buys": f"{regime.buys:,}",
        "sells": f"{regime.sells:,}",
        "win_rate": number(regime.win_rate, "{:.1%}"),
        "mean": number(regime.mean_return_pct, "{:+.3f} %"),
    }


def _spread(content: ReportContent) -> str:
    values = content.trade_returns
    if not len(values):
        return ""
    sign = "{:+.3f} %".format
    middle, mean = sign(float(np.median(values))), sign(float(values.mean()))
    trades = "1 trade" if len(values) == 1 else f"{len(values):,} trades"
    return (
        f"{trades} with a next price: mean {mean}, median {middle}, "
        f"worst {sign(float(values.min()))}, best {sign(float(values.max()))}. "
        "What lies beyond the 0.5 % and 99.5 % quantiles counts into the outermost bars."
    )


def _parameters(text: str) -> str:
    """Parameters as `name=value`, from their JSON; the text itself when it is none."""
    try:
        return ", ".join(f"{name}={value:g}" for name, value in json.loads(text).items())
    except (ValueError, AttributeError):
        return text


def _when(moment: str) -> str:
    """`2024-01-02 09:30 New York`, from ISO 8601 with an offset."""
    local = datetime.fromisoformat(moment).astimezone(NEW_YORK)
    return f"{local:%Y-%m-%d %H:%M} New York"


def _bar_time(moment: str) -> str:
    """A bar's time by the clock that it is dated by, which its offset tells."""
    local = datetime.fromisoformat(moment)
    return f"{local:%Y-%m-%d %H:%M} {'New York' if local.utcoffset() else 'UTC'}"
