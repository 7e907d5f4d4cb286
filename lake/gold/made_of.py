"""What the gold of one symbol and interval is made of: its partitions and their fingerprints.

A partition is made of its symbol's history up to its end, of the actions in force by then, of the
series beside it up to then, and of the strategy with its parameters. Of nothing later: what comes
later changes no fingerprint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from lake.gold.actions import action_evidence, read_actions
from lake.gold.history import Beginnings, History, minute_beginnings, read_days
from lake.gold.news_history import NewsHistory, read_news_history
from lake.gold.request import GoldRequest
from lake.grain import Grain
from lake.silver.evidence import digest
from lake.stretch import Stretch
from trading.bars.adjustment import actions_in_force
from trading.bars.context import NEWS
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.bars.resampling.blocks import resample_sessions
from trading.bars.resampling.model import ResampledBars
from trading.errors import ParameterError
from trading.instruments.actions import CorporateAction
from trading.instruments.calendar import sessions
from trading.instruments.clock import local_times, to_datetime64

VERSION = "1"
"""Part of every fingerprint: raised when equal silver makes other columns."""


@dataclass(frozen=True, slots=True)
class PartitionInputs:
    """What one partition is made of.

    Attributes:
        stretch: Its time.
        last_session: The last session that its values depend on.
        actions: The actions that it is adjusted for.
        fingerprint: The hash of all that.
    """

    stretch: Stretch
    last_session: date
    actions: tuple[CorporateAction, ...]
    fingerprint: str


def inputs_of(request: GoldRequest, symbol: str, interval: Interval) -> list[PartitionInputs]:
    """What the partitions of one symbol and interval are made of that a request asks for, in order.

    Of an interval within sessions it reads the ends of silver's files, of one over sessions the
    daily bars.

    Raises:
        ContentError: A file of silver or the table of actions is damaged.
        DataError: Actions contradict each other.
        ParameterError: A series that the strategy needs is not in silver.
        StorageError: One of them cannot be read.
    """
    if interval.is_intraday:
        beginnings = minute_beginnings(request.lake, symbol, request.as_of)
        ends = month_ends(request, beginnings, request.first, request.last)
    else:
        daily = read_days(request.lake, symbol, request.as_of)
        beginnings = daily.beginnings
        ends = {
            year: last
            for year, last in year_ends(daily, interval).items()
            if year.overlaps(request.first, request.last)
        }
    context = {
        name: context_beginnings(request, symbol, name, interval)
        for name in request.chosen_strategy.context
    }
    return described(request, symbol, interval, beginnings=beginnings, ends=ends, context=context)


def described(
    request: GoldRequest,
    symbol: str,
    interval: Interval,
    *,
    beginnings: Beginnings,
    ends: Mapping[Stretch, date],
    context: Mapping[str, Beginnings],
) -> list[PartitionInputs]:
    """The partitions with what each is made of.

    Args:
        request: What is asked for.
        symbol: The symbol.
        interval: The interval.
        beginnings: The running hash of its history.
        ends: Of each partition the last session that its values depend on.
        context: The running hash of each series beside the bars, by name.
    """
    table = read_actions(request.lake)
    found = []
    for stretch, last in ends.items():
        actions = actions_in_force(table, symbol, last, request.as_of)
        evidence = [
            action_evidence(actions),
            beginnings.until(last),
            [[name, held.until(last)] for name, held in sorted(context.items())],
        ]
        fingerprint = digest(setting_of(request, symbol, interval), stretch.stem, evidence)
        found.append(PartitionInputs(stretch, last, actions, fingerprint))
    return found


def setting_of(request: GoldRequest, symbol: str, interval: Interval) -> list[object]:
    """What all partitions of a symbol and interval share, as JSON can hold it."""
    strategy = request.chosen_strategy
    return [
        VERSION,
        symbol,
        interval.value,
        strategy.name,
        strategy.version,
        request.strategy_parameters.model_dump(mode="json"),
        {name: request.context_symbols.get(name) for name in strategy.context},
    ]


def context_symbol(request: GoldRequest, name: str) -> str:
    """The lake's symbol of a series beside the bars.

    Raises:
        ParameterError: None is named for it.
    """
    if name not in request.context_symbols:
        raise ParameterError(
            "context_symbols",
            dict(request.context_symbols),
            f"complete for {request.strategy}, which needs {name}",
            f"name the symbol whose bars are {name}",
        )
    return request.context_symbols[name]


def news_of(request: GoldRequest, symbol: str) -> NewsHistory:
    """The news about a symbol.

    Raises:
        ContentError: A file of news is damaged.
        ParameterError: The lake has no news at all.
        StorageError: A file cannot be read.
    """
    return read_news_history(request.lake, symbol, request.strategy)


def context_beginnings(
    request: GoldRequest, symbol: str, name: str, interval: Interval
) -> Beginnings:
    """The running hash of a series beside the bars of a symbol.

    Raises:
        ContentError: A file of news is damaged.
        ParameterError: It is not in the lake.
        StorageError: A file cannot be read.
    """
    if name == NEWS:
        return news_of(request, symbol).beginnings
    symbol = context_symbol(request, name)
    if interval.is_intraday:
        found = minute_beginnings(request.lake, symbol, request.as_of)
    else:
        found = read_days(request.lake, symbol, request.as_of).beginnings
    if not found.ends:
        raise ParameterError(
            "strategy",
            request.strategy,
            f"one whose series are all in silver: it needs {name}, the bars of {symbol}",
            f"fill bronze and silver of {symbol} first, or choose a strategy that needs prices "
            "alone",
        )
    return found


def ended_blocks(adjusted_days: Bars, daily: History, interval: Interval) -> ResampledBars:
    """The bars over sessions whose last session the daily bars have come to.

    Args:
        adjusted_days: The daily bars, adjusted.
        daily: The history that they are of.
        interval: The interval.
    """
    made = resample_sessions(adjusted_days, [interval])[interval]
    if not len(daily.available_at):
        return made
    return made[made.available_at <= daily.available_at.max()]


def month_ends(
    request: GoldRequest, beginnings: Beginnings, first: date | None, last: date | None
) -> dict[Stretch, date]:
    """The months with a date from `first` to `last` that have a file of silver.

    Each with its last session that is over; None is no bound.
    """
    months = (Stretch(day, Grain.MONTH) for day in {d.replace(day=1) for d in beginnings.ends})
    asked = sorted(month for month in months if month.overlaps(first, last))
    return {month: _last_session(month, request) for month in asked}


def _last_session(month: Stretch, request: GoldRequest) -> date:
    """By the calendar, not the data: what a split divides is the same if a session is missing."""
    within = sessions(month.first, month.last)
    if request.as_of is not None:
        within = within[within.closes <= to_datetime64(request.as_of)]
    last: date = within.dates[-1].item() if len(within) else month.first
    return last


def year_ends(daily: History, interval: Interval) -> dict[Stretch, date]:
    """The years in which a bar begins, each with the last session of its last bar."""
    made = ended_blocks(daily.bars, daily, interval)
    starts = local_times(made.bars.timestamps).astype("datetime64[Y]")
    lasts = local_times(made.available_at).astype("datetime64[D]")
    return {
        Stretch(year.astype("datetime64[D]").item(), Grain.YEAR): lasts[starts == year][-1].item()
        for year in np.unique(starts)
    }
