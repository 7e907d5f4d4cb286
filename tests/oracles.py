"""Second opinions: the definitions once more, in plain loops or by other people's libraries.

Nothing here imports the package under test.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from scipy.stats import linregress

NAN = math.nan


def usable(value: float) -> bool:
    return math.isfinite(value) and value > 0


def percent_changes(prices: Sequence[float]) -> list[float]:
    changes = [NAN] * len(prices)
    for t in range(1, len(prices)):
        if usable(prices[t - 1]) and usable(prices[t]):
            changes[t] = 100.0 * (prices[t] / prices[t - 1] - 1.0)
    return changes


def pairs_of_window(
    x: Sequence[float], y: Sequence[float], last: int, window: int
) -> list[tuple[float, float]]:
    rows = range(max(0, last - window + 1), last + 1)
    return [(x[i], y[i]) for i in rows if math.isfinite(x[i]) and math.isfinite(y[i])]


@dataclass
class Fit:
    beta: float = NAN
    correlation: float = NAN


def regression(pairs: Sequence[tuple[float, float]], min_periods: int) -> Fit:
    """The textbook formulas on one window, every sum correctly rounded."""
    n = len(pairs)
    if n < min_periods:
        return Fit()
    mean_x = math.fsum(x for x, _ in pairs) / n
    mean_y = math.fsum(y for _, y in pairs) / n
    cxx = math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    cyy = math.fsum((y - mean_y) ** 2 for _, y in pairs)
    cxy = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs)
    if math.sqrt(cxx / n) < 1e-12:
        return Fit()
    if math.sqrt(cyy / n) < 1e-12:
        return Fit(cxy / cxx)
    return Fit(cxy / cxx, cxy / math.sqrt(cxx) / math.sqrt(cyy))


def rolling(x: Sequence[float], y: Sequence[float], window: int, min_periods: int) -> list[Fit]:
    return [regression(pairs_of_window(x, y, t, window), min_periods) for t in range(len(x))]


def scipy_rolling(
    x: Sequence[float], y: Sequence[float], window: int, min_periods: int
) -> list[Fit]:
    """The same by SciPy; for data that vary in every window."""
    fits = []
    for t in range(len(x)):
        pairs = pairs_of_window(x, y, t, window)
        if len(pairs) < min_periods:
            fits.append(Fit())
            continue
        line = linregress([x for x, _ in pairs], [y for _, y in pairs])
        fits.append(Fit(float(line.slope), float(line.rvalue)))
    return fits


def signal(change: float, vix: float, base_pct: float, baseline: float) -> str:
    if not usable(vix) or math.isnan(change):
        return "hold"
    threshold = base_pct * vix / baseline
    return "buy" if change > threshold else "sell" if change < -threshold else "hold"


@dataclass
class Row:
    timestamp: datetime
    contract: str
    price: float
    signal: str
    beta: float = NAN


@dataclass
class Tally:
    trades: int = 0
    good: int = 0
    bad: int = 0
    neutral: int = 0
    equity: float = 1.0


@dataclass
class PlainPortfolio:
    returns: list[float] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    worst_drawdown: float = 0.0
    total: Tally = field(default_factory=Tally)
    by_contract: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    average_beta: float | None = None


def plain_portfolio(rows: Iterable[Row], cost_bps: float) -> PlainPortfolio:
    """The portfolio bar by bar and contract by contract."""
    histories: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.timestamp):
        histories[row.contract].append(row)
    earned: dict[datetime, list[float]] = defaultdict(list)
    result = PlainPortfolio()
    betas = []
    for contract, history in histories.items():
        for i, row in enumerate(history):
            following = next((r.price for r in history[i + 1 :] if usable(r.price)), NAN)
            gain = _trade(row, following, cost_bps, [result.total, result.by_contract[contract]])
            earned[row.timestamp].append(gain)
            result.by_contract[contract].equity *= max(0.0, 1.0 + gain)
            if not math.isnan(row.beta):
                betas.append(row.beta)
    _compound(result, [math.fsum(earned[t]) / len(histories) for t in sorted(earned)])
    result.average_beta = math.fsum(betas) / len(betas) if betas else None
    return result


def _trade(row: Row, following: float, cost_bps: float, tallies: list[Tally]) -> float:
    position = {"buy": 1, "hold": 0, "sell": -1}[row.signal]
    if position == 0:
        return 0.0
    known = usable(row.price) and usable(following)
    move = position * (following / row.price - 1.0) if known else 0.0
    for tally in tallies:
        tally.trades += 1
        tally.good += move > 0
        tally.bad += move < 0
        tally.neutral += move == 0
    return move - cost_bps / 10_000


def _compound(result: PlainPortfolio, returns: list[float]) -> None:
    equity = peak = 1.0
    for earned in returns:
        equity *= max(0.0, 1.0 + earned)
        peak = max(peak, equity)
        result.worst_drawdown = min(result.worst_drawdown, equity / peak - 1.0)
        result.returns.append(earned)
        result.equity.append(equity)


def _bundled(package: str, path: str) -> Path:
    """A data file of an installed package, without importing the package."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / path


def _series(path: Path, column: str, form: str) -> dict[date, float]:
    with gzip.open(path, "rt") as lines:
        return {
            datetime.strptime(row["Date"], form).date(): float(row[column])  # noqa: DTZ007 - dates
            for row in csv.DictReader(lines)
            if row[column] not in {"", "."}  # a holiday
        }


@dataclass
class DailyMarket:
    """Real daily closes, 2014 to 2018, on the days that all series have."""

    dates: list[date]
    stocks: dict[str, list[float]]
    vix: list[float]
    spx: list[float]


def real_daily_market(names: Sequence[str]) -> DailyMarket:
    """Stocks from skfolio, the S&P 500 and the VIX from arch."""
    stocks_file = _bundled("skfolio", "datasets/data/sp500_dataset.csv.gz")
    stocks = {name: _series(stocks_file, name, "%Y-%m-%d") for name in names}
    spx = _series(_bundled("arch", "data/sp500/sp500.csv.gz"), "Close", "%m/%d/%Y")
    vix = _series(_bundled("arch", "data/vix/vix.csv.gz"), "vix", "%m/%d/%Y")
    everything = [spx, vix, *stocks.values()]
    dates = sorted(day for day in spx if all(day in series for series in everything))
    return DailyMarket(
        dates,
        {name: [series[day] for day in dates] for name, series in stocks.items()},
        [vix[day] for day in dates],
        [spx[day] for day in dates],
    )
