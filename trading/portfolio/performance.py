"""The portfolio that trades every signal: what it earned, how often, at what risk.

The return of bar t is the equal-weight mean over *all* contracts of the portfolio of

    position[t] * (price[t'] / price[t] - 1) - |position[t]| * cost_bps / 10,000

where t' is the bar of the contract's next known price: a position is held while its contract is
halted. A contract that is flat, has no row at t or no next price earns 0. The return is booked at
t, where the position is taken. At the last bar there is no next price, so its return is its costs.
Equity starts at 1 and compounds the returns; a loss of everything ends it at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trading.arrays import Floats
from trading.errors import ParameterError
from trading.instruments.clock import EXCHANGE_ZONE, bar_zone, to_datetime
from trading.instruments.pace import Pace
from trading.portfolio.positions import Trades, trades

Counts = npt.NDArray[np.int64]

NO_SPREAD = 1e-14
"""Standard deviation, relative to the largest return, that rounding makes of equal returns."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One portfolio in numbers; percentages are per cent, rates are fractions of 1.

    Attributes:
        total_pnl_pct: `100 * (final equity - 1)`, after costs.
        sharpe: Mean over standard deviation (ddof 1) of the bars' returns, times the square root
            of `bars_per_year` (Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21,
            1994; risk-free rate 0). None with fewer than two bars, when returns do not vary, and
            without `bars_per_year`.
        max_drawdown_pct: The deepest fall of equity from a peak before it, at most 0; the start
            counts as a peak.
        win_rate: Good trades over all trades; None without trades.
        average_beta: Mean over all rows that have a beta; None when none has.
        exposure: Share of (bar, contract) cells with a position.
        turnover: Share of the portfolio traded per bar: the mean over the bars of half the sum
            over the contracts of `|w[t] - w[t-1]|`, where `w` is the position over the number of
            contracts, 0 before the first bar and unchanged while the contract is halted (one-way
            turnover: Grinold and Kahn, "Active Portfolio Management", 2nd ed. 2000, ch. 16).
        trades: Signals other than hold.
        buys: Buy signals.
        sells: Sell signals.
        good_trades: Buys before a rise and sells before a fall of the contract's next price.
        bad_trades: Buys before a fall and sells before a rise.
        neutral_trades: The others: no change, or no next price.
        bars: Different timestamps.
        contracts: Different contracts.
        bars_per_year: What the Sharpe ratio was annualised with; None where the data follow no
            calendar that is known.
        not_annualised: Why there is no `bars_per_year`; empty when there is.
        cost_bps: Cost of one trade in basis points.
        first_timestamp: The first bar, ISO 8601 in New York time; in UTC when bars are plain dates.
        last_timestamp: The last bar.
    """

    total_pnl_pct: float
    sharpe: float | None
    max_drawdown_pct: float
    win_rate: float | None
    average_beta: float | None
    exposure: float
    turnover: float
    trades: int
    buys: int
    sells: int
    good_trades: int
    bad_trades: int
    neutral_trades: int
    bars: int
    contracts: int
    bars_per_year: float | None
    not_annualised: str
    cost_bps: float
    first_timestamp: str
    last_timestamp: str


@dataclass(frozen=True, slots=True, eq=False)
class Portfolio:
    """A portfolio's summary and the tables behind it.

    Attributes:
        summary: The whole in numbers.
        contracts: One row per contract, sorted by name: `contract, bars, trades, buys, sells,
            good_trades, bad_trades, neutral_trades, win_rate, pnl_pct` (compounded, of this
            contract alone), `average_beta, exposure` (share of its rows); null where undefined.
        timeseries: One row per timestamp: `timestamp, return_pct, equity, drawdown_pct, buys,
            sells`; equity and drawdown include the row's return.
        trades: The positions behind all of it.
    """

    summary: Summary
    contracts: pa.Table
    timeseries: pa.Table
    trades: Trades


def portfolio(rows: pa.Table, *, pace: Pace, cost_bps: float) -> Portfolio:
    """Aggregate result rows of any number of contracts.

    Args:
        rows: Columns `timestamp, contract, price, beta, signal` (others are ignored), in any
            order; contracts may have different timestamps.
        pace: Annualises the Sharpe ratio, see `pace.pace`.
        cost_bps: Cost of one trade in basis points of the contract's share of the portfolio.

    Raises:
        ParameterError: `bars_per_year` or `cost_bps` is out of range.
        DataError: There are no rows, or they are not usable, see `positions.trades`.
    """
    return portfolio_of(trades(rows), pace=pace, cost_bps=cost_bps)


def portfolio_of(trades: Trades, *, pace: Pace, cost_bps: float) -> Portfolio:
    """As `portfolio`, of trades that were made of the rows before.

    Raises:
        ParameterError: `bars_per_year` or `cost_bps` is out of range.
    """
    bars_per_year = pace.bars_per_year
    if bars_per_year is not None and not 0 < bars_per_year < np.inf:
        raise ParameterError(
            "bars_per_year", bars_per_year, "above 0", "take it from the exchange calendar"
        )
    if not 0 <= cost_bps < np.inf:
        raise ParameterError("cost_bps", cost_bps, "0 or more", "pass for instance 1.0")
    gain = trades.gain(cost_bps)
    bars, contracts = len(trades.timestamps), len(trades.contracts)
    returns = _sums(trades.bar, gain, bars) / contracts
    equity = compounded(returns)
    drawdown = drawdowns(equity)
    by_contract, zone = _counts(trades), bar_zone(trades.timestamps)
    counts = {name: int(values.sum()) for name, values in by_contract.items()}
    summary = Summary(
        total_pnl_pct=float(100.0 * (equity[-1] - 1.0)),
        sharpe=sharpe(returns, bars_per_year),
        max_drawdown_pct=float(100.0 * drawdown.min()),
        win_rate=counts["good_trades"] / counts["trades"] if counts["trades"] else None,
        average_beta=_mean(trades.beta[np.isfinite(trades.beta)]),
        exposure=counts["trades"] / (bars * contracts),
        turnover=turnover(trades),
        bars=bars,
        contracts=contracts,
        bars_per_year=bars_per_year,
        not_annualised=pace.reason,
        cost_bps=cost_bps,
        first_timestamp=to_datetime(trades.timestamps[0], zone).isoformat(),
        last_timestamp=to_datetime(trades.timestamps[-1], zone).isoformat(),
        **counts,
    )
    return Portfolio(
        summary,
        _per_contract(trades, gain, by_contract),
        _timeseries(trades, returns, equity, drawdown),
        trades,
    )


def compounded(returns: Floats) -> Floats:
    """Equity after each return (a fraction), starting from 1, shape (n,); 0 once all is lost."""
    return np.cumprod(np.maximum(1.0 + returns, 0.0)).astype(np.float64, copy=False)


def drawdowns(equity: Floats) -> Floats:
    """Equity over its highest value so far, less 1, shape (n,); the start at 1 counts as a peak."""
    peak = np.maximum(np.maximum.accumulate(equity), 1.0)
    fallen: Floats = equity / peak - 1.0
    return fallen


def sharpe(returns: Floats, bars_per_year: float | None) -> float | None:
    """Annualised mean over standard deviation (ddof 1) of `returns`; see `Summary.sharpe`."""
    if bars_per_year is None or len(returns) < 2:  # noqa: PLR2004 - a deviation takes two values
        return None
    deviation = np.std(returns, ddof=1)
    if not deviation > NO_SPREAD * np.abs(returns).max():
        return None
    return float(np.mean(returns) / deviation * np.sqrt(bars_per_year))


def turnover(trades: Trades) -> float:
    """Mean share of the portfolio traded per bar; see `Summary.turnover`."""
    rows = np.flatnonzero(trades.priced | (trades.position != 0))
    contract, bar = trades.contract[rows], trades.bar[rows]
    position = trades.position[rows].astype(np.int64)
    follows = contract[1:] == contract[:-1]
    before = np.concatenate(([0], np.where(follows, position[:-1], 0)))[: len(rows)]
    # What a contract holds at its last row is closed at the next bar, if there is one.
    ends = np.append(~follows, True)[: len(rows)] & (bar < len(trades.timestamps) - 1)
    traded = np.abs(position - before).sum() + np.abs(position[ends]).sum()
    return float(traded / (2 * len(trades.timestamps) * len(trades.contracts)))


def _counts(trades: Trades) -> dict[str, Counts]:
    """Trades of each kind, shape (k,) each."""
    position, quality = trades.position, trades.quality()
    kinds = {
        "trades": position != 0,
        "buys": position > 0,
        "sells": position < 0,
        "good_trades": quality > 0,
        "bad_trades": quality < 0,
        "neutral_trades": (position != 0) & (quality == 0),
    }
    contracts = len(trades.contracts)
    return {
        name: np.bincount(trades.contract[rows], minlength=contracts)
        for name, rows in kinds.items()
    }


def _per_contract(trades: Trades, gain: Floats, counts: dict[str, Counts]) -> pa.Table:
    bars = np.bincount(trades.contract)
    starts = np.cumsum(bars) - bars
    equity = np.multiply.reduceat(np.maximum(1.0 + gain, 0.0), starts)
    known = np.isfinite(trades.beta)
    betas = _sums(trades.contract[known], trades.beta[known], len(bars))
    with np.errstate(invalid="ignore"):
        win_rate = counts["good_trades"] / counts["trades"]
        average_beta = betas / np.bincount(trades.contract[known], minlength=len(bars))
    return pa.table(
        {
            "contract": pa.array(trades.contracts, pa.string()),
            "bars": pa.array(bars, pa.int64()),
            **{name: pa.array(values, pa.int64()) for name, values in counts.items()},
            "win_rate": _float_column(win_rate),
            "pnl_pct": _float_column(100.0 * (equity - 1.0)),
            "average_beta": _float_column(average_beta),
            "exposure": _float_column(counts["trades"] / bars),
        }
    )


def _timeseries(trades: Trades, returns: Floats, equity: Floats, drawdown: Floats) -> pa.Table:
    bars = len(trades.timestamps)
    return pa.table(
        {
            "timestamp": pa.array(
                trades.timestamps.astype("datetime64[us]"), pa.timestamp("us", EXCHANGE_ZONE)
            ),
            "return_pct": _float_column(100.0 * returns),
            "equity": _float_column(equity),
            "drawdown_pct": _float_column(100.0 * drawdown),
            "buys": pa.array(
                np.bincount(trades.bar[trades.position > 0], minlength=bars), pa.int64()
            ),
            "sells": pa.array(
                np.bincount(trades.bar[trades.position < 0], minlength=bars), pa.int64()
            ),
        }
    )


def _float_column(values: Floats) -> pa.Array:
    """Float64 values as an Arrow array, NaN as null."""
    return pa.array(values, pa.float64(), from_pandas=True)


def _sums(group: Counts, values: Floats, groups: int) -> Floats:
    return np.bincount(group, values, groups).astype(np.float64, copy=False)


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None
