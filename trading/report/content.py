"""What the report shows, as data: every number of it, and nothing of how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps
from trading.bars.quality.findings import ValidationReport
from trading.portfolio.benchmark import BuyAndHold, MarketModel, buy_and_hold, market_model
from trading.portfolio.origin import StoredPortfolio
from trading.portfolio.positions import Trades
from trading.report.timeline import Timeline, timeline

Matrix = npt.NDArray[np.float64]
"""Contracts by bins, shape (k, b), NaN where there is nothing."""

REGIMES = (("calm", 0.0, 15.0), ("normal", 15.0, 20.0), ("high", 20.0, 30.0),
           ("stressed", 30.0, np.inf))  # fmt: skip
"""Bands of the VIX in index points: name, from, below."""

HISTOGRAM_BINS = 40
CORE = (0.005, 0.995)
"""Quantiles between which the histogram has its bins; what lies outside counts into the ends."""

MISSING, STALE, FAILED, DONE = range(4)
"""How `ReportContent.status` codes a partition; of a cell's the lowest shows, after FAILED."""


@dataclass(frozen=True, slots=True, eq=False)
class MarketSeries:
    """What all contracts share at each bar; arrays of shape (t,), NaN where missing.

    Attributes:
        timestamps: Bar starts, UTC, increasing.
        vix: VIX in index points.
        spx: S&P 500 in index points.
        buy_threshold: Change in per cent above which a contract signals buy.
        sell_threshold: Change in per cent below which it signals sell.
    """

    timestamps: Timestamps
    vix: Floats
    spx: Floats
    buy_threshold: Floats
    sell_threshold: Floats

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.timestamps)


@dataclass(frozen=True, slots=True)
class RunAccount:
    """What the run that made the report did.

    Attributes:
        total: Partitions it was asked for.
        completed: Those it computed.
        skipped: Those that were up to date.
        failed: Those it could not compute.
        command: The shell command that runs it again.
        validation: What validation said of the data before it; None when it was not asked for.
    """

    total: int
    completed: int
    skipped: int
    failed: int
    command: str
    validation: ValidationReport | None = None


@dataclass(frozen=True, slots=True)
class Regime:
    """The signals while the VIX lay in one band.

    Attributes:
        name: The band's name.
        low: Its lower end in index points, included.
        high: Its upper end, excluded.
        bars: Bars in it.
        rows: Contracts at those bars.
        buys: Buy signals.
        sells: Sell signals.
        win_rate: Good trades over trades; None without trades.
        mean_return_pct: Mean return of a trade after costs; None without any that has one.
    """

    name: str
    low: float
    high: float
    bars: int
    rows: int
    buys: int
    sells: int
    win_rate: float | None
    mean_return_pct: float | None


@dataclass(frozen=True, slots=True, eq=False)
class ReportContent:
    """Everything the page is made of.

    Attributes:
        aggregation: The portfolio and its origin.
        market: The VIX, the S&P 500 and the thresholds at each bar.
        benchmark: Buying and holding the S&P 500; None without two values of it.
        model: Each contract's regression on the S&P 500.
        time: The bars in bins.
        signals: Buys less sells over rows of each contract and bin, from -1 to 1.
        returns: Each contract's compounded price change in each bin, in per cent.
        status: Partition status of each contract and bin; NaN where no bar was expected.
        status_basis: What the status was measured against, for its caption.
        regimes: Signals by VIX band; those without bars left out.
        trade_returns: Each trade's return after costs, in per cent, shape (n,).
        run: The run that made the report; None when there was none.
        validation: What validation said of the input; None when that was not looked at.
        made_at: When it was made, ISO 8601 in UTC.
    """

    aggregation: StoredPortfolio
    market: MarketSeries
    benchmark: BuyAndHold | None
    model: MarketModel
    time: Timeline
    signals: Matrix
    returns: Matrix
    status: Matrix
    status_basis: str
    regimes: tuple[Regime, ...]
    trade_returns: Floats
    run: RunAccount | None
    validation: ValidationReport | None
    made_at: str


@dataclass(frozen=True, slots=True, eq=False)
class KnownStatus:
    """What a look at input and results found out about each bar of each contract.

    Attributes:
        codes: By contract, the status of each of `trades.timestamps`, shape (t,), NaN where no
            partition was expected.
        basis: What it was measured against, for the caption.
    """

    codes: Mapping[str, Floats] = field(default_factory=dict)
    basis: str = ""


def report_content(
    aggregation: StoredPortfolio,
    market: MarketSeries,
    *,
    made_at: str,
    run: RunAccount | None = None,
    status: KnownStatus | None = None,
    validation: ValidationReport | None = None,
) -> ReportContent:
    """Derive what the report shows from a portfolio.

    Args:
        aggregation: The portfolio and its origin.
        market: The market at the portfolio's bars.
        made_at: The time now, ISO 8601 in UTC.
        run: The run that made the results, when there was one.
        status: Of every partition, when the input was looked at; else bars that only some of the
            contracts have count as missing for the others.
        validation: Of the input, when it was looked at; else that of the run.
    """
    held = aggregation.portfolio
    made, summary = held.trades, held.summary
    time = timeline(made.timestamps)
    cell = made.contract * time.bins + time.bin_of[made.bar]
    rows = _cells(made, time, cell)
    known = status.codes if status else {}
    return ReportContent(
        aggregation=aggregation,
        market=market,
        benchmark=buy_and_hold(market.spx, summary.bars_per_year),
        model=market_model(made, market.spx),
        time=time,
        signals=_ratio(_cells(made, time, cell, made.position.astype(np.float64)), rows),
        returns=_returns(made, time, cell, rows),
        status=_told(known, made.contracts, time) if known else _present(time, rows),
        status_basis=status.basis if status else "the bars that any contract has",
        regimes=tuple(_regimes(made, market, summary.cost_bps)),
        trade_returns=_trade_returns(made, summary.cost_bps),
        run=run,
        validation=validation or (run.validation if run else None),
        made_at=made_at,
    )


def _cells(
    made: Trades, time: Timeline, cell: npt.NDArray[np.int64], weights: Floats | None = None
) -> Matrix:
    """Sums of each row's weight, or counts of rows, by contract and bin."""
    shape = (len(made.contracts), time.bins)
    sums = np.bincount(cell, weights, shape[0] * shape[1])
    return sums.reshape(shape).astype(np.float64, copy=False)


def _ratio(sums: Matrix, counts: Matrix) -> Matrix:
    empty = np.full(sums.shape, np.nan)
    ratios: Matrix = np.divide(sums, counts, out=empty, where=counts > 0)
    return ratios


def _returns(made: Trades, time: Timeline, cell: npt.NDArray[np.int64], rows: Matrix) -> Matrix:
    known = np.isfinite(made.next_return)
    with np.errstate(divide="ignore"):
        logs = np.log1p(np.where(known, made.next_return, 0.0))
    found = 100.0 * np.expm1(_cells(made, time, cell, logs))
    have = _cells(made, time, cell, known.astype(np.float64)) > 0
    return np.where((rows > 0) & have, found, np.nan)


def _present(time: Timeline, rows: Matrix) -> Matrix:
    """Done where a contract has all bars of a bin, missing where it lacks one."""
    return np.where(rows >= np.bincount(time.bin_of), float(DONE), float(MISSING))


def _told(known: Mapping[str, Floats], contracts: Sequence[str], time: Timeline) -> Matrix:
    nothing = np.full(len(time.timestamps), np.nan)
    rows = []
    for contract in contracts:
        codes = known.get(contract, nothing)
        codes = np.where(codes == FAILED, -1.0, codes)
        worst = np.fmin.reduceat(codes, time.starts)
        rows.append(np.where(worst < 0, float(FAILED), worst))
    return np.array(rows)


def _regimes(made: Trades, market: MarketSeries, cost_bps: float) -> list[Regime]:
    vix = market.vix[made.bar]
    quality, gain = made.quality(), 100.0 * made.gain(cost_bps)
    regimes = []
    for name, low, high in REGIMES:
        rows = (vix >= low) & (vix < high)
        trading = rows & (made.position != 0)
        ended = trading & np.isfinite(made.next_return)
        trades = int(trading.sum())
        regime = Regime(
            name=name,
            low=low,
            high=high,
            bars=int(((market.vix >= low) & (market.vix < high)).sum()),
            rows=int(rows.sum()),
            buys=int((made.position[rows] > 0).sum()),
            sells=int((made.position[rows] < 0).sum()),
            win_rate=float((quality[trading] > 0).sum() / trades) if trades else None,
            mean_return_pct=float(gain[ended].mean()) if ended.any() else None,
        )
        if regime.bars:
            regimes.append(regime)
    return regimes


def _trade_returns(made: Trades, cost_bps: float) -> Floats:
    ended = (made.position != 0) & np.isfinite(made.next_return)
    gain: Floats = 100.0 * made.gain(cost_bps)[ended]
    return gain


def histogram(values: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Edges, shape (n + 1,), and counts, shape (n,), of equally wide bins; one edge is 0.

    Values beyond the edges count into the first and last bin.

    Args:
        values: One value or more.
    """
    low, high = np.quantile(values, CORE)
    span = max(high, 0.0) - min(low, 0.0)
    bins = int(min(HISTOGRAM_BINS, max(8, 2 * np.sqrt(len(values)))))
    width = span / bins if span > 0 else 1.0
    first, last = int(np.floor(min(low, 0.0) / width)), int(np.ceil(max(high, 0.0) / width))
    edges: Floats = np.asarray(width * np.arange(first, max(last, first + 1) + 1), np.float64)
    inside = np.clip(values, edges[0], edges[-1])
    return edges, np.histogram(inside, edges)[0].astype(np.int64)
