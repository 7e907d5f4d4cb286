"""The command that makes a sweep again, as it can be pasted into a shell."""

import json
from decimal import Decimal

from flows.runs.commands import shell_command
from lake.backtests.request import HELD_BACK, BacktestRequest
from trading.backtest.assumptions import Assumptions
from trading.backtest.sweep.parameter_sets import Search

_OPTIONS = ("capital", "fees_bps", "slippage_bps", "participation")


def backtest_command(request: BacktestRequest, search: Search) -> str:
    """`trading backtest ...` with all that differs from the defaults."""
    words = ["backtest", request.strategy, "--interval", request.interval.value]
    words += ["--symbols", ",".join(request.traded_symbols())]
    for name, day in (("start", request.start), ("end", request.end)):
        words += [f"--{name}", day.isoformat()] if day else []
    if search.grid:
        words += ["--grid", json.dumps(dict(search.grid))]
    if search.sample is not None:
        words += ["--sample", str(search.sample), "--seed", str(search.seed)]
    if request.folds:
        words += ["--walk-forward", str(request.folds)]
    words += ["--portfolio"] if request.portfolio else []
    words += _of_assumptions(request)
    if request.held_back != HELD_BACK:
        words += ["--held-back", str(request.held_back)]
    words += ["--lake-dir", request.lake_dir]
    words += ["--input-dir", request.input_dir] if request.input_dir else []
    return shell_command("trading", *words)


def _of_assumptions(request: BacktestRequest) -> list[str]:
    usual, words = Assumptions(), list[str]()
    for name in _OPTIONS:
        value: Decimal | None = getattr(request.assumptions, name)
        if value is not None and value != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return [*words, *(["--allow-short"] if request.assumptions.allow_short else [])]
