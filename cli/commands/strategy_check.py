"""`trading strategy check`: whether a strategy looks ahead, or needs more bars than it says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import typer

from cli.settings import existing_lake
from lake.backtests.bars import known_bars
from lake.backtests.request import BacktestRequest
from servers.errors import FAILED
from trading.arrays import Floats
from trading.backtest.look_ahead import Finding, LookAhead, look_ahead
from trading.bars.context import NEWS, SPX, VIX
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.bars.synthetic_minutes import synthetic_days
from trading.errors import ParameterError
from trading.strategies.protocol import Context
from trading.strategies.registry import checked_parameters, strategy_named
from trading.strategies.settling import settled_bars

SYMBOL = "AAPL"
FIRST = date(2000, 1, 3)
"""From when on the synthetic bars are, where no lake is named."""

FEWEST_BARS, MOST_BARS = 60, 5_000

FEWEST_SESSIONS = 248
"""Of a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What to check a strategy on.

    Attributes:
        parameters: The strategy's parameters, as JSON.
        bars: At how many of the last bars the history is truncated.
        symbol: Whose bars of the lake; None for synthetic daily ones.
        interval: Their length.
        lake_dir: The lake; None for the settings'.
        json: Whether to print one JSON object instead of text.
    """

    parameters: str | None
    bars: int
    symbol: str | None
    interval: str
    lake_dir: str | None
    json: bool


def run_check(name: str, options: CheckOptions) -> int:
    """Check a strategy and print what was found; returns the exit code.

    Raises:
        ParameterError: There is none of the name, or a value cannot be used.
        DataError: The strategy raised.
    """
    strategy = strategy_named(name)
    parameters = checked_parameters(strategy, _given(options.parameters))
    if not FEWEST_BARS <= options.bars <= MOST_BARS:
        raise ParameterError(
            "bars", options.bars, f"from {FEWEST_BARS} to {MOST_BARS:,}", "pass another number"
        )
    bars, interval, context = _bars(name, options, parameters)
    found = look_ahead(strategy, parameters, bars, interval, context, ends=options.bars)
    if options.json:
        typer.echo(json.dumps(_object(strategy.name, found)))
    else:
        typer.echo(_text(strategy.name, found))
    return 0 if found.is_clean else FAILED


def _given(text: str | None) -> dict[str, Any]:
    try:
        given = json.loads(text or "{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise ParameterError(
            "parameters", text, "a JSON object", """pass e.g. --parameters '{"periods": 7}'"""
        )
    return given


def _bars(name: str, options: CheckOptions, parameters: Any) -> tuple[Bars, Interval, Context]:  # noqa: ANN401 - any strategy's
    """The last bars that the check looks at, and what is beside them."""
    try:
        interval = Interval(options.interval)
    except ValueError:
        raise ParameterError(
            "interval", options.interval, "one of " + ", ".join(Interval), "pass one of them"
        ) from None
    # So many that the later starts can settle before the bars that the history is cut at.
    wanted = options.bars + settled_bars(strategy_named(name), parameters) + 1
    if options.symbol is None:
        if interval is not Interval.DAY:
            raise ParameterError(
                "interval", interval.value, f"{Interval.DAY}, the length of synthetic bars",
                "name a symbol of the lake with --symbol",
            )  # fmt: skip
        return _synthetic(wanted, strategy_named(name).context)
    request = BacktestRequest(
        lake_dir=_lake(options.lake_dir),
        strategy=name,
        interval=interval,
        sets=(parameters,),
        symbols=(options.symbol,),
    )
    (symbol,) = request.traded_symbols()
    history = known_bars(request, symbol).history
    context = history.context(parameters)
    last = slice(max(0, len(history.seen) - wanted), None)
    return history.seen[last], interval, {name: own[last] for name, own in context.items()}


def _lake(lake_dir: str | None) -> str:
    from lake.place import lake_location  # noqa: PLC0415 - for the lake's bars alone

    return existing_lake(lake_dir, lake_location(lake_dir))


def _synthetic(count: int, needed: Sequence[str]) -> tuple[Bars, Interval, Context]:
    """Synthetic daily bars, and beside them a VIX about 20, an index, and a score of news."""
    last = date(FIRST.year + count // FEWEST_SESSIONS + 1, 12, 31)
    bars = synthetic_days(SYMBOL, FIRST, last)[:count]
    chance = np.random.default_rng(1)
    steps = chance.normal(0, 1, len(bars))
    made = {
        VIX: np.clip(20 + np.cumsum(steps) / 2, 9, 80).astype(np.float64),
        SPX: (4_000 * np.exp(np.cumsum(steps) / 100)).astype(np.float64),
    }
    scores = np.clip(np.cumsum(chance.normal(0, 0.1, len(bars))), -1, 1).astype(np.float64)
    # On every tenth day there are no news.
    made[NEWS] = np.where(np.arange(len(bars)) % 10, scores, np.nan)
    if unknown := set(needed) - set(made):
        raise ParameterError(
            "strategy", ", ".join(sorted(unknown)), "a series that there are synthetic values of",
            "check it on bars of the lake with --symbol",
        )  # fmt: skip
    series: dict[str, Floats] = {name: made[name] for name in needed}
    return bars, Interval.DAY, series


def _object(name: str, found: LookAhead) -> dict[str, Any]:
    return {
        "strategy": name,
        "passed": found.is_clean,
        "bars": found.bars,
        "warm_ups": found.warm_ups,
        "future": [_finding(one) for one in found.future],
        "warm_up": [_finding(one) for one in found.warm_up],
    }


def _finding(one: Finding) -> dict[str, str]:
    return {
        "what": one.what,
        "timestamp": _stamp(one.timestamp),
        "seen_until": _stamp(one.seen_until),
        "with_less": str(one.with_less),
        "with_all": str(one.with_all),
    }


def _text(name: str, found: LookAhead) -> str:
    if found.is_clean:
        tried = f"{found.bars:,} bars"
        starts = f" and {found.warm_ups} later starts" if found.warm_ups else ""
        short = "" if found.warm_ups else "; there are too few bars to check its warm-up"
        return f"{name} passes at {tried}{starts}: no later bar changes what it says{short}."
    lines = [f"{name} fails."]
    lines += [
        f"Looks ahead: its {one.what} of {_stamp(one.timestamp)} is {one.with_less} with the bars "
        f"up to {_stamp(one.seen_until)}, and {one.with_all} with all."
        for one in found.future
    ]
    lines += [
        f"Needs more bars than it says: its {one.what} of {_stamp(one.timestamp)} is "
        f"{one.with_less} with the bars from {_stamp(one.seen_until)} on, and {one.with_all} with "
        "all."
        for one in found.warm_up
    ]
    return "\n".join(lines)


def _stamp(stamp: np.datetime64) -> str:
    return f"{stamp.astype('datetime64[s]')}+00:00"
