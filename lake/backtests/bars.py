"""The bars of a backtest: from silver, adjusted for what the strategy sees, or from an input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from lake.backtests.request import BacktestRequest
from lake.fingerprints import DIGEST_BYTES
from lake.gold.actions import action_evidence, read_actions
from lake.gold.history import History, read_days, read_minutes
from lake.gold.made_of import ended_blocks
from lake.gold.news_history import read_news_history
from lake.kept import Kept
from lake.listing import files_in
from lake.market.inputs import MarketData, check_contract
from lake.reference.tables import read_instruments
from lake.silver.table import SILVER, SILVER_DAYS
from storage.directory import Directory
from trading.arrays import Floats, Timestamps
from trading.backtest.sweep.trial import Series, SymbolHistory
from trading.bars.adjustment import actions_in_force, adjusted
from trading.bars.context import NEWS, SPX, VIX, ContextSeries
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars
from trading.bars.resampling.blocks import session_numbers
from trading.errors import ParameterError
from trading.instruments.actions import CorporateAction
from trading.instruments.clock import bar_dates
from trading.strategies.market_model.parameters import StrategyParameters

_READ = Kept(8)
"""What the process has read of silver; each partition asks for the same."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownBars:
    """One symbol's bars with the hash of all that they are made of."""

    history: SymbolHistory
    digest: str


def known_bars(request: BacktestRequest, symbol: str) -> KnownBars:
    """A symbol's bars from the first there is to the end of the window.

    Raises:
        ContentError: A file is damaged.
        DataError: They cannot be used, or actions contradict each other.
        ParameterError: There are none, they have another interval, or a series is missing.
        StorageError: A file cannot be read.
    """
    market = request.market
    if market is None:
        return _of_silver(request, symbol)
    return _of_input(request, market, symbol)


def _of_silver(request: BacktestRequest, symbol: str) -> KnownBars:
    raw = _read(request, symbol)
    if not len(raw.bars):
        raise ParameterError(
            "symbols", symbol, f"a symbol that silver has bars of {request.interval} of",
            "make silver first with trading lake build silver",
        )  # fmt: skip
    last: date = raw.dates[-1].item()
    actions = actions_in_force(read_actions(request.lake), symbol, last, request.as_of)
    seen, available_at = adjusted(raw.bars, actions), raw.available_at
    traded = raw.bars
    if not request.interval.is_intraday:
        blocks = ended_blocks(seen, raw, request.interval)
        seen, available_at = blocks.bars, blocks.available_at
        traded = _traded_blocks(raw, actions, request.interval)
    increment = _increment(request.lake, symbol)
    history = SymbolHistory(
        seen=seen,
        traded=traded,
        actions=actions,
        moments=available_at,
        series={
            name: _beside(request, symbol, name, available_at)
            for name in request.chosen_strategy.context
        },
        increment=increment,
    )
    return KnownBars(history, _digest(raw.bars, history))


def _traded_blocks(raw: History, actions: Sequence[CorporateAction], interval: Interval) -> Bars:
    """Bars over sessions at the prices of their last session's shares.

    Within a bar that an ex-date falls into, the days before it are adjusted for it: the bar has
    one price for one share, and who holds it is given the action at its start.
    """
    days = raw.bars
    blocks = session_numbers(raw.dates) // interval.sessions
    inside: dict[int, list[CorporateAction]] = {}
    for action in actions:
        row = int(np.searchsorted(raw.dates, np.datetime64(action.ex_date)))
        if 0 < row < len(days) and blocks[row] == blocks[row - 1]:
            inside.setdefault(int(blocks[row]), []).append(action)
    columns = {name: getattr(days, name).copy() for name in VALUES}
    for block, own in inside.items():
        rows = np.flatnonzero(blocks == block)
        part = adjusted(days[rows], own)
        for name in VALUES:
            columns[name][rows] = getattr(part, name)
    fitted = Bars(symbol=days.symbol, timestamps=days.timestamps, **columns)
    return ended_blocks(fitted, raw, interval).bars


def _beside(request: BacktestRequest, symbol: str, name: str, moments: Timestamps) -> ContextSeries:
    """A series beside the bars of a symbol, whose signals are made at some moments."""
    if name == NEWS:
        news = read_news_history(request.lake, symbol, request.strategy).series
        return news.until(moments[-1]) if len(moments) else news[:0]
    symbol = request.context_symbols.get(name, "")
    held = _read(request, symbol) if symbol else None
    if held is None or not len(held.bars):
        raise ParameterError(
            "strategy", request.strategy,
            f"one whose series are all in silver: it needs {name}, the bars of {symbol or name}",
            f"fill bronze and silver of {symbol or name} first, or choose a strategy that needs "
            "prices alone",
        )  # fmt: skip
    bars, known_at = held.bars, held.available_at
    if not request.interval.is_intraday:
        blocks = ended_blocks(bars, held, request.interval)
        bars, known_at = blocks.bars, blocks.available_at
    return Series(known_at, bars.close)


def _read(request: BacktestRequest, symbol: str) -> History:
    """What silver has of a symbol up to the window's end, read anew when one of its files is."""
    lake, as_of, interval = request.lake, request.as_of, request.interval
    folder = f"{SILVER if interval.is_intraday else SILVER_DAYS}/{symbol}"
    listed = files_in(lake, folder)
    kind = interval if interval.is_intraday else Interval.DAY
    key = (lake.url, symbol, kind, as_of, tuple(listed.items()))
    if interval.is_intraday:
        found = _READ.get(key, lambda: read_minutes(lake, symbol, interval, as_of, listed))
    else:
        found = _READ.get(key, lambda: read_days(lake, symbol, as_of))
    if request.end is None:
        return found
    kept = found.dates <= np.datetime64(request.end)
    return History(found.bars[kept], found.available_at[kept], found.dates[kept], found.beginnings)


def _increment(lake: Directory, symbol: str) -> Decimal:
    """The smallest step of the symbol's quantities today; 1 where nothing is known of it."""
    known = [one.increment for one in read_instruments(lake) if one.symbol == symbol]
    return known[-1] if known else Decimal(1)


def _of_input(request: BacktestRequest, market: MarketData, symbol: str) -> KnownBars:
    """Closes of the main pipeline's input as bars of one price, at which orders fill."""
    rows = market.rows
    prices = market.bars(symbol, 0, rows, StrategyParameters())
    check_contract(prices)
    _check_interval(request, prices.timestamps)
    there = np.isfinite(prices.price)
    if request.end is not None:
        there &= bar_dates(prices.timestamps) <= np.datetime64(request.end)
    stamps, close = prices.timestamps[there], prices.price[there]
    unknown = np.full(len(stamps), np.nan)
    bars = Bars(
        symbol=symbol, timestamps=stamps, open=close, high=close, low=close, close=close,
        volume=unknown, vwap=unknown, trades=unknown,
    )  # fmt: skip
    history = SymbolHistory(
        seen=bars,
        traded=bars,
        actions=(),
        # A series of the input is known at its own timestamp, as for the main pipeline.
        moments=stamps,
        series={name: _series(market, name) for name in request.chosen_strategy.context},
    )
    return KnownBars(history, _digest(bars, history))


def _series(market: MarketData, name: str) -> Series:
    files = {VIX: market.vix, SPX: market.spx}
    if name not in files:
        raise ParameterError(
            "strategy", name, "one whose series are in input_dir, VIX and SPX",
            "take the bars of the lake, or choose a strategy that needs prices alone",
        )  # fmt: skip
    file = files[name]
    stamps, values = file.timestamps(0, file.rows), file.values(name, 0, file.rows)
    known = np.isfinite(values)
    return Series(stamps[known], values[known])


def _check_interval(request: BacktestRequest, stamps: Timestamps) -> None:
    """Refuse bars of another interval than the one asked for; there are hourly and daily ones."""
    days = np.unique(bar_dates(stamps))
    found = Interval.DAY if len(days) == len(stamps) else Interval.HOUR
    if request.interval is not found:
        raise ParameterError(
            "interval", request.interval.value,
            f"that of the bars in input_dir={request.input_dir}, which are of {found}",
            f"pass {found}, or take the bars of the lake",
        )  # fmt: skip


def _digest(raw: Bars, history: SymbolHistory) -> str:
    """Hash of what a strategy may see and orders fill at."""
    hashed = hashlib.blake2b(digest_size=DIGEST_BYTES)
    about: list[Any] = [
        raw.symbol, len(raw), action_evidence(history.actions), str(history.increment),
        {name: len(own.values) for name, own in sorted(history.series.items())},
    ]  # fmt: skip
    hashed.update(json.dumps(about).encode())
    hashed.update(_instants(raw.timestamps))
    for name in VALUES:
        hashed.update(_numbers(getattr(raw, name)))
    for _, own in sorted(history.series.items()):
        hashed.update(_instants(own.known_at) + _numbers(own.values))
    return hashed.hexdigest()


def _instants(stamps: Timestamps) -> bytes:
    return stamps.astype("datetime64[ns]").astype("<i8").tobytes()


def _numbers(values: Floats) -> bytes:
    """In little-endian order, with one bit pattern for NaN and one for zero."""
    return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes()
