"""A sweep as Markdown: the best sets in sample, each beside what it earned out of sample."""

from collections.abc import Sequence

import numpy as np

from flows.runs.rendering import table
from lake.backtests.summary import SweepResult
from trading.instruments.clock import local_times

LISTED_SETS = 20

HEAD = ("set", "Sharpe, in sample", "Sharpe, held back", "return, in sample",
        "return, held back", "drawdown", "fills")  # fmt: skip


def ranking_rows(sweep: SweepResult, most: int = LISTED_SETS) -> list[tuple[str, ...]]:
    """A row of texts for each of the first sets, under `HEAD`."""
    return [
        (
            one.name,
            _number(one.parts.in_sample.sharpe),
            _number(one.parts.out_of_sample.sharpe),
            _percent(one.parts.in_sample.total_return),
            _percent(one.parts.out_of_sample.total_return),
            _percent(one.parts.whole.max_drawdown),
            f"{one.fills:,}",
        )
        for one in sweep.ranking.results[:most]
    ]


def verdict(sweep: SweepResult) -> str:
    """How many sets were tried, and how likely the best one is more than luck."""
    found = sweep.ranking.deflated_sharpe
    known = f"{found:.3f}" if np.isfinite(found) else "n/a"
    sets = "1 set" if sweep.ranking.tried == 1 else f"{sweep.ranking.tried:,} sets"
    return f"{sets} tried; deflated Sharpe ratio of the best in sample: {known}"


def sweep_text(sweep: SweepResult, page: str, left_out: Sequence[str]) -> str:
    """The Markdown of a sweep."""
    symbols = ", ".join(sweep.symbols)
    parts = [f"# {sweep.strategy} on {symbols}, bars of {sweep.interval}", f"{verdict(sweep)}."]
    if left_out:
        parts.append(f"Combinations left out: {len(left_out)}, the first {left_out[0]}")
    parts.append(table(HEAD, ranking_rows(sweep)))
    if sweep.folds:
        parts += ["## Walk-forward", table(FOLD_HEAD, fold_rows(sweep))]
    return "\n\n".join([*parts, *([f"Page: {page}"] if page else [])])


FOLD_HEAD = ("fold", "traded from", "to", "chosen", "Sharpe, trained", "Sharpe, traded",
             "return, traded")  # fmt: skip


def fold_rows(sweep: SweepResult) -> list[tuple[str, ...]]:
    """A row of texts for each fold, under `FOLD_HEAD`."""
    return [
        (
            f"{one.symbol} {one.number}",
            _day(one.split),
            _day(one.last),
            one.name,
            _number(one.trained.sharpe),
            _number(one.traded.sharpe),
            _percent(one.traded.total_return),
        )
        for one in sweep.folds
    ]


def _day(stamp: np.datetime64) -> str:
    return str(local_times(np.array([stamp]))[0].astype("datetime64[D]"))


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "n/a"


def _percent(value: float) -> str:
    return f"{100 * value:+.2f} %" if np.isfinite(value) else "n/a"
