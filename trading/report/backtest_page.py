"""The page of a sweep: what the best set earned, in sample and in what was held back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from trading.arrays import Floats
from trading.backtest.metrics import Metrics
from trading.backtest.result import Course
from trading.backtest.sweep.folds import FoldResult
from trading.backtest.sweep.ranking import Ranking, SetResult
from trading.instruments.clock import local_times
from trading.report import backtest_charts as charts
from trading.report.charts import HALF, NARROW, WIDE, svg
from trading.report.headlines import number
from trading.report.timeline import timeline

LISTED_SETS = 50
"""Most sets in the table, the first of the ranking."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BacktestContent:
    """Everything that the page is made of.

    Attributes:
        strategy: Its name and version.
        symbols: What was traded.
        interval: The length of the bars.
        account: How the accounts are divided, as text.
        assumptions: Capital and costs, as text.
        ranking: All sets that have a result, one at least.
        course: How the first one's account went.
        benchmark: Worth of a dollar put into equal parts of all symbols at the first bar and held,
            shape (n,).
        folds: Of a walk-forward; none without one.
        left_out: Combinations that the strategy refuses.
        made_at: When the page was made, as text.
        command: The shell command that makes it again.
    """

    strategy: str
    symbols: tuple[str, ...]
    interval: str
    account: str
    assumptions: str
    ranking: Ranking
    course: Course
    benchmark: Floats
    folds: Sequence[FoldResult]
    left_out: Sequence[str]
    made_at: str
    command: str

    @property
    def best(self) -> SetResult:
        """The first set of the ranking."""
        return self.ranking.results[0]

    @property
    def split(self) -> int:
        """The first row that was held back."""
        return int(np.searchsorted(self.course.timestamps, self.best.parts.split))


def backtest_page(content: BacktestContent) -> str:
    """One HTML document that refers to nothing outside itself."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    best = content.best.parts
    return environment.from_string(_resource("backtest.html")).render(
        content=content,
        best=content.best,
        headlines=_headlines(content),
        pictures=_pictures(content),
        columns=_COLUMNS,
        sets=[_set_row(one) for one in content.ranking.results[:LISTED_SETS]],
        metrics=_metric_rows(best.in_sample, best.out_of_sample, best.whole),
        months=MONTHS,
        years=_years(content.course),
        folds=[_fold_row(one) for one in content.folds],
        split=timeline(content.course.timestamps[content.split :], 1).labels()[0],
        style=Markup(_resource("tokens.css") + _resource("report.css")),  # noqa: S704 - our own file
        script=Markup(_resource("report.js")),  # noqa: S704 - our own file
    )


_COLUMNS = (
    ("Set", "The parameters that are not the defaults."),
    ("Sharpe, in", "Sharpe ratio per year in the part in which sets are compared."),
    ("Sharpe, out", "The same in the part that was held back."),
    ("Return, in", "Compounded return in the part in which sets are compared."),
    ("Return, out", "The same in the part that was held back."),
    ("Drawdown", "Deepest fall from a peak, in the whole window."),
    ("Fills", "Executions in the whole window."),
    ("Fees, $", "All fees in the whole window."),
)


def _headlines(content: BacktestContent) -> list[dict[str, str]]:
    best, ranking = content.best, content.ranking
    inside, outside = best.parts.in_sample, best.parts.out_of_sample
    rows = [
        (
            "Sharpe ratio held back", number(outside.sharpe, "{:.2f}"),
            f"in sample {number(inside.sharpe, '{:.2f}')}",
            "Per year, of the set that was best in sample, in the bars that were held back.",
        ),
        (
            "Return held back", number(_percent(outside.total_return), "{:+.2f} %"),
            f"in sample {number(_percent(inside.total_return), '{:+.2f} %')}",
            "Compounded over the bars that were held back.",
        ),
        (
            "Sets tried", f"{ranking.tried:,}",
            f"{len(ranking.results):,} with a result",
            "The more are tried, the better the best one is by luck alone.",
        ),
        (
            "Deflated Sharpe ratio", number(ranking.deflated_sharpe, "{:.1%}"),
            "probability of more than luck",
            "That the Sharpe ratio in sample is above what the best of so many sets has by luck.",
        ),
    ]  # fmt: skip
    names = ("title", "value", "compared", "text")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _pictures(content: BacktestContent) -> dict[str, list[tuple[str, Markup]]]:
    wanted = {"equity": (charts.equity, WIDE)}
    if len(content.course.pnl):
        wanted["trades"] = (charts.trades, HALF)
    if len(content.ranking.results) > 1:
        wanted["scatter"] = (charts.scatter, HALF)
    if charts.varied(content.ranking):
        wanted["map_in"] = (charts.map_in_sample, HALF)
        wanted["map_out"] = (charts.map_out_of_sample, HALF)
    return {
        name: [
            (width, Markup(svg(chart, content, look)))  # noqa: S704 - Vega escapes
            for width, look in (("wide", wide), ("narrow", NARROW))
        ]
        for name, (chart, wide) in wanted.items()
    }


def _set_row(one: SetResult) -> list[tuple[str, str]]:
    """A row's cells: the value to sort by, and the text."""
    parts = one.parts
    figures = (
        (parts.in_sample.sharpe, "{:.2f}"),
        (parts.out_of_sample.sharpe, "{:.2f}"),
        (_percent(parts.in_sample.total_return), "{:+.2f} %"),
        (_percent(parts.out_of_sample.total_return), "{:+.2f} %"),
        (_percent(parts.whole.max_drawdown), "{:.2f} %"),
        (float(one.fills), "{:,.0f}"),
        (float(one.fees), "{:,.2f}"),
    )
    cells = [(_sortable(value), number(value, form)) for value, form in figures]
    return [(one.name, one.name), *cells]


def _fold_row(one: FoldResult) -> list[str]:
    first, split, last = (
        str(np.datetime64(local_times(np.array([stamp]))[0], "D"))
        for stamp in (one.first, one.split, one.last)
    )
    return [
        f"{one.symbol} {one.number}",
        f"{first} to {split}",
        one.name,
        number(one.trained.sharpe, "{:.2f}"),
        f"{split} to {last}",
        number(one.traded.sharpe, "{:.2f}"),
        number(_percent(one.traded.total_return), "{:+.2f} %"),
    ]


_METRICS = (
    ("Return", "total_return", "%"), ("Growth per year", "cagr", "%"),
    ("Volatility per year", "volatility", "%"), ("Sharpe ratio", "sharpe", ""),
    ("Sortino ratio", "sortino", ""), ("Deepest drawdown", "max_drawdown", "%"),
    ("Its length, bars", "max_drawdown_bars", "n"), ("Calmar ratio", "calmar", ""),
    ("Value at risk, 5 % of bars", "value_at_risk", "%"),
    ("Mean beyond it", "conditional_value_at_risk", "%"), ("Omega", "omega", ""),
    ("Tail ratio", "tail_ratio", ""), ("Exposure", "exposure", "%"),
    ("Turnover per bar", "turnover", "%"), ("Trades", "trades", "n"),
    ("Win rate", "win_rate", "%"), ("Profit factor", "profit_factor", ""),
    ("Expectancy, $", "expectancy", ""),
)  # fmt: skip


def _metric_rows(*parts: Metrics) -> list[list[str]]:
    forms = {"%": "{:.2f} %", "": "{:.3f}", "n": "{:,.0f}"}
    rows = []
    for title, name, unit in _METRICS:
        found = [float(getattr(part, name)) for part in parts]
        shown = [_percent(value) if unit == "%" else value for value in found]
        rows.append([title, *(number(value, forms[unit]) for value in shown)])
    return rows


def _years(course: Course) -> list[dict[str, Any]]:
    """Of each year its months' returns and its own, in per cent, with a shade from -1 to 1."""
    months = local_times(course.timestamps).astype("datetime64[M]")
    known, starts = np.unique(months, return_index=True)
    grown = np.multiply.reduceat(1.0 + course.returns, starts) - 1.0
    strongest = float(np.abs(grown).max()) or 1.0
    rows = []
    for year in np.unique(known.astype("datetime64[Y]")):
        own = {
            int(str(month)[5:7]): float(value)
            for month, value in zip(known, grown, strict=True)
            if month.astype("datetime64[Y]") == year
        }
        cells = [_month(own.get(number), strongest) for number in range(1, 13)]
        total = math.prod(1.0 + value for value in own.values()) - 1.0
        rows.append({"year": str(year), "months": cells, "total": f"{100 * total:+.1f}"})
    return rows


def _month(value: float | None, strongest: float) -> dict[str, str]:
    if value is None:
        return {"text": "", "side": "", "shade": "0"}
    side = "gain" if value > 0 else "loss" if value < 0 else ""
    shade = f"{60 * abs(value) / strongest:.0f}"
    return {"text": f"{100 * value:+.1f}", "side": side, "shade": shade}


def _percent(value: float) -> float:
    return 100.0 * value


def _sortable(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.9g}"


def _resource(name: str) -> str:
    return (files("trading.report") / name).read_text(encoding="utf-8")
