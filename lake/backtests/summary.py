"""What a sweep came to: its sets ranked, its folds, and the page about them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np

from lake.backtests.account import Account, account
from lake.backtests.contents import read_fold, read_ledger, read_set
from lake.backtests.dataset import BacktestDataset, WalkForwardDataset, set_keys
from lake.backtests.request import BACKTEST, PORTFOLIO, BacktestKey, BacktestRequest
from trading.arrays import Floats
from trading.backtest.result import Course
from trading.backtest.sweep.folds import FoldResult
from trading.backtest.sweep.ranking import Parts, Ranking, SetResult
from trading.backtest.sweep.replay import combined, replayed
from trading.instruments.clock import NEW_YORK
from trading.instruments.pace import pace

NAMED_SYMBOLS = 4
"""Most symbols that a page's file name tells."""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What is there of a sweep.

    Attributes:
        strategy: The strategy's name.
        interval: The length of the bars.
        symbols: What was traded.
        ranking: The sets that have a result on every account.
        folds: The folds that have one, by account and number.
    """

    strategy: str
    interval: str
    symbols: tuple[str, ...]
    ranking: Ranking
    folds: tuple[FoldResult, ...]


def sweep_result(request: BacktestRequest) -> SweepResult:
    """Read what is stored of a sweep, and rank it.

    Raises:
        ContentError: A file is damaged.
        StorageError: One cannot be read.
    """
    accounts = [account(request, name) for name in request.accounts()]
    by_account = [_stored_keys(request, own) for own in accounts]
    results = []
    for keys in zip(*by_account, strict=True):
        done = [key for key in keys if key is not None]
        if len(done) == len(accounts):
            results.append(_together(request, accounts, done))
    return SweepResult(
        strategy=request.chosen_strategy.name,
        interval=request.interval.value,
        symbols=tuple(request.traded_symbols()),
        ranking=Ranking.of(results, len(request.sets)),
        folds=tuple(_folds(request)),
    )


def write_page(
    request: BacktestRequest, found: SweepResult, command: str, left_out: Sequence[str] = ()
) -> str:
    """Write the page of a sweep that has a result, and return its URL.

    Args:
        request: What was asked for.
        found: What it came to.
        command: The shell command that makes it again.
        left_out: Combinations that the strategy refuses, with the reason.

    Raises:
        ContentError: A ledger is damaged.
        StorageError: One cannot be read, or the page not be written.
    """
    # Draws, which a partition never does.
    from trading.report.backtest_page import BacktestContent, backtest_page  # noqa: PLC0415

    accounts = [account(request, name) for name in request.accounts()]
    course = _best_course(request, accounts, found)
    strategy = request.chosen_strategy
    content = BacktestContent(
        strategy=f"{strategy.name}, version {strategy.version}",
        symbols=found.symbols,
        interval=found.interval,
        account=_account_text(request, found.symbols),
        assumptions=_assumptions_text(request),
        ranking=found.ranking,
        course=course,
        benchmark=_held(accounts, course),
        folds=found.folds,
        left_out=left_out,
        made_at=f"{datetime.now(NEW_YORK):%Y-%m-%d %H:%M} New York",
        command=command,
    )
    name = page_name(request)
    request.lake.write_bytes(name, backtest_page(content).encode())
    return request.lake.url_of(name)


def page_name(request: BacktestRequest) -> str:
    """The page's file, relative to the lake: the last sweep of these symbols."""
    symbols = list(request.traded_symbols())
    name = "-".join(symbols[:NAMED_SYMBOLS])
    if len(symbols) > NAMED_SYMBOLS:
        digest = hashlib.blake2b(" ".join(symbols).encode(), digest_size=4).hexdigest()
        name = f"{symbols[0]}-and-{len(symbols) - 1}-more-{digest}"
    if request.portfolio:
        name = f"{PORTFOLIO}-{name}"
    return f"{request.folder(BACKTEST)}/{name}.html"


def _stored_keys(request: BacktestRequest, own: Account) -> list[BacktestKey | None]:
    """The key of every set, in order; None where its file is missing."""
    stored = BacktestDataset().stored(request, own.name)
    return [key if key.relative_path in stored else None for key in set_keys(request, own)]


def _together(
    request: BacktestRequest, accounts: Sequence[Account], keys: Sequence[BacktestKey]
) -> SetResult:
    """One set's result; of several accounts that of all of them as one."""
    found = [read_set(request.lake, key) for key in keys]
    if len(found) == 1:
        return found[0]
    course = combined(
        [
            replayed(own.window.market, read_ledger(request.lake, key))
            for own, key in zip(accounts, keys, strict=True)
        ]
    )
    year = pace(course.timestamps).bars_per_year
    return SetResult(
        parameters=found[0].parameters,
        name=found[0].name,
        final_equity=sum((one.final_equity for one in found), Decimal(0)),
        fills=sum(one.fills for one in found),
        fees=sum((one.fees for one in found), Decimal(0)),
        parts=Parts.of(course, request.held_back, math.nan if year is None else year),
    )


def _folds(request: BacktestRequest) -> list[FoldResult]:
    if not request.folds:
        return []
    dataset, found = WalkForwardDataset(), []
    for name in request.accounts():
        stored = dataset.stored(request, name)
        keys = [one.key for one in dataset.wanted(request, name)]
        found += [read_fold(request.lake, key) for key in keys if key.relative_path in stored]
    return found


def _best_course(
    request: BacktestRequest, accounts: Sequence[Account], found: SweepResult
) -> Course:
    best = found.ranking.results[0].parameters
    courses = []
    for own in accounts:
        keys = {
            key.parameters.model_dump_json(): key
            for key in set_keys(request, own)
            if key.parameters is not None and key.parameters.model_dump(mode="json") == best
        }
        (key,) = keys.values()
        courses.append(replayed(own.window.market, read_ledger(request.lake, key)))
    return combined(courses)


def _held(accounts: Sequence[Account], course: Course) -> Floats:
    """Worth of a dollar put into equal parts of all symbols, by the adjusted closes."""
    worth = []
    for own in accounts:
        for history, rows in zip(own.histories, own.window.rows, strict=True):
            bars = history.seen[rows]
            priced = np.isfinite(bars.close)
            closes, stamps = bars.close[priced], bars.timestamps[priced]
            last = np.searchsorted(stamps, course.timestamps, side="right") - 1
            worth.append(np.where(last >= 0, closes[np.maximum(last, 0)] / closes[0], 1.0))
    mean: Floats = np.mean(worth, axis=0)
    return mean


def _account_text(request: BacktestRequest, symbols: Sequence[str]) -> str:
    if request.portfolio:
        return f"one for all {len(symbols)} symbols"
    return "one" if len(symbols) == 1 else f"one of its own for each of {len(symbols)} symbols"


def _assumptions_text(request: BacktestRequest) -> str:
    given = request.assumptions.model_dump(mode="json")
    return ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)
