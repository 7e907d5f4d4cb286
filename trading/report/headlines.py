"""The report's headline figures: value, comparison, definition, and why a value is missing."""

from __future__ import annotations

from dataclasses import dataclass

from trading.portfolio.benchmark import BuyAndHold
from trading.portfolio.performance import Summary


@dataclass(frozen=True, slots=True)
class Headline:
    """One figure.

    Attributes:
        title: Its name.
        value: As people read it, `n/a` where it is not defined.
        compared: The same of buying and holding the S&P 500; empty where that has none.
        definition: How it is computed.
        reason: Why it is n/a; empty when it is not.
        tone: `gain`, `loss` or nothing: the colour of the value.
    """

    title: str
    value: str
    compared: str
    definition: str
    reason: str = ""
    tone: str = ""


NO_INDEX = "n/a (fewer than two values)"


def headlines(summary: Summary, index: BuyAndHold | None) -> list[Headline]:
    """The headline figures of a portfolio, in the order in which they are shown."""
    s = summary
    undefined = "fewer than two bars" if s.bars < 2 else "the returns do not vary"  # noqa: PLR2004
    return [
        Headline(
            "Total P&L",
            f"{s.total_pnl_pct:+.2f} %",
            f"{index.total_pnl_pct:+.2f} %" if index else NO_INDEX,
            "100 × (final equity − 1). Equity starts at 1 and compounds the portfolio's return of "
            "each bar: the equal-weight mean over all contracts of position × return to the next "
            f"bar, less {s.cost_bps:g} basis points for each trade.",
            tone="gain" if s.total_pnl_pct > 0 else "loss" if s.total_pnl_pct < 0 else "",
        ),
        Headline(
            "Win rate",
            number(s.win_rate, "{:.1%}"),
            f"{number(index.win_rate, '{:.1%}')} of bars up" if index else NO_INDEX,
            f"Good trades over all trades: {s.good_trades:,} good, {s.bad_trades:,} bad, "
            f"{s.neutral_trades:,} neutral of {s.trades:,}. A trade is good when the next price "
            "moved its way, neutral when it did not move or there is none. For the S&P 500: the "
            "share of bars after which it rose.",
            reason="" if s.trades else "there were no trades",
        ),
        Headline(
            "Trades",
            f"{s.trades:,}",
            "1" if index else NO_INDEX,
            f"Signals other than hold: {s.buys:,} buys and {s.sells:,} sells at {s.bars:,} bars "
            f"of {s.contracts:,} contracts.",
        ),
        Headline(
            "Sharpe ratio",
            number(s.sharpe, "{:.2f}"),
            number(index.sharpe, "{:.2f}") if index else NO_INDEX,
            "Mean over standard deviation (n − 1) of the bars' returns, times the square root of "
            f"{number(s.bars_per_year, '{:,.0f}')} bars a year, which the exchange's calendar has "
            "at the data's pace; risk-free rate 0 (Sharpe 1994).",
            reason="" if s.sharpe is not None else s.not_annualised or undefined,
        ),
        Headline(
            "Maximum drawdown",
            f"{s.max_drawdown_pct:.2f} %",
            f"{index.max_drawdown_pct:.2f} %" if index else NO_INDEX,
            "The deepest fall of equity from its highest value before; the start counts as one.",
        ),
        Headline(
            "Average beta",
            number(s.average_beta, "{:.2f}"),
            "1",
            "Mean over all bars and contracts of the rolling beta: the least-squares slope of the "
            "contract's on the S&P 500's percentage changes. What the contracts are like, whether "
            "or not they are held.",
            reason="" if s.average_beta is not None else "no bar has enough pairs of returns",
        ),
        Headline(
            "Turnover",
            f"{s.turnover:.1%} a bar",
            "0 % after the first",
            "Half the sum over contracts of the changes of weight from bar to bar, averaged over "
            "the bars (one-way turnover); a weight is the position over the number of contracts.",
        ),
        Headline(
            "Exposure",
            f"{s.exposure:.1%}",
            "100 %",
            "Share of all bars of all contracts with a position, long or short.",
        ),
    ]


def number(value: float | None, form: str) -> str:
    """A value as people read it: n/a for what is not defined."""
    return "n/a" if value is None or value != value else form.format(value)  # noqa: PLR0124 - NaN
