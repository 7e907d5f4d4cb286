"""Synthetic minutes: sessions with early closes, a volume profile, pre- and post-market, splits.

What a symbol does on a date depends on the seed, the symbol and the date alone: each symbol and day
has a random stream of its own, and the levels between days come from one stream per symbol that
begins on `FIRST_DATE`. So asking for another range changes no value.

Between the level at which a day opens and that at which it closes the minutes are a Brownian bridge
of the logarithm (e.g. Glasserman, "Monte Carlo Methods in Financial Engineering", 2003, 3.1).
Volume is high after the open and before the close, as intraday volume is. A share that became dear
is split, one that became cheap is consolidated; prices are those of the day, never adjusted.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np

from trading.arrays import Floats, Timestamps
from trading.bars.model import Bars, joined
from trading.errors import ParameterError
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.calendar import sessions
from trading.instruments.clock import midnights
from trading.instruments.symbols import checked_contract

FIRST_DATE = date(2000, 1, 3)
"""Where every symbol's history begins."""

LAST_DATE = date(2099, 12, 31)

DEAR, CHEAP = 300.0, 8.0
"""Dollars. A share above is split on its day of the year, one below consolidated."""

SPLIT_TO = 60.0
"""Dollars near which a split brings the price."""

_SPLIT_RATIOS = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0)
_CONSOLIDATION = 0.1
_EXTENDED_SHARE = 0.15
"""Of the minutes outside of the session, how many have a trade."""
_PRE_MARKET_MINUTES, _POST_MARKET_MINUTES = 330, 240
"""From 4:00 in New York to the open, and four hours from the close on."""
_NOISE, _EXTENDED, _LEVELS, _CHARACTER = range(4)
_FULL_DAY = 390
_CENTS, _VWAP_DECIMALS = 2, 4
_MINUTE = np.timedelta64(60, "s")


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """What a symbol's days are made of, indexed by days since `FIRST_DATE`.

    Attributes:
        open: Unadjusted dollars at the open, shape (d,).
        close: Unadjusted dollars at the close.
        before: The close of the day before in shares of this day.
        splits: The symbol's splits.
        volatility: Standard deviation of a minute's logarithmic return.
        volume: Shares on an ordinary day.
    """

    open: Floats
    close: Floats
    before: Floats
    splits: tuple[CorporateAction, ...]
    volatility: float
    volume: float


def synthetic_minutes(
    symbol: str, first: date, last: date, *, seed: int = 0, extended_hours: bool = True
) -> Bars:
    """Minutes of all sessions from `first` to `last`, both included.

    Args:
        symbol: A contract name.
        first: Nothing is generated before `FIRST_DATE`.
        last: New York date.
        seed: Not negative.
        extended_hours: Whether minutes from 4:00 to the open, and of the four hours after the
            close, are among them: few, with little volume.

    Raises:
        ParameterError: The symbol is malformed, the seed negative or `last` after `LAST_DATE`.
    """
    levels = _levels(checked_contract(symbol), _checked_seed(seed), _checked_last(last))
    within = sessions(max(first, FIRST_DATE), last)
    indices = (within.dates - np.datetime64(FIRST_DATE)).astype(int).tolist()
    parts = [
        _Day(symbol, seed, levels, index, opened, closed).minutes(extended_hours=extended_hours)
        for index, opened, closed in zip(indices, within.opens, within.closes, strict=True)
    ]
    return joined(parts, symbol)


def synthetic_days(symbol: str, first: date, last: date, *, seed: int = 0) -> Bars:
    """Daily bars, made of the minutes of each session's regular hours.

    Each starts at midnight in New York; arguments and errors are those of `synthetic_minutes`.
    """
    minutes = synthetic_minutes(symbol, first, last, seed=seed, extended_hours=False)
    within = sessions(max(first, FIRST_DATE), last)
    if not len(minutes):
        return minutes
    begins = np.searchsorted(minutes.timestamps, within.opens)
    volume = np.add.reduceat(minutes.volume, begins)
    value = np.add.reduceat(minutes.vwap * minutes.volume, begins)
    return Bars(
        symbol=symbol,
        timestamps=midnights(within.dates),
        open=minutes.open[begins],
        high=np.maximum.reduceat(minutes.high, begins),
        low=np.minimum.reduceat(minutes.low, begins),
        close=minutes.close[np.append(begins[1:], len(minutes)) - 1],
        volume=volume,
        vwap=np.round(value / volume, _VWAP_DECIMALS),
        trades=np.add.reduceat(minutes.trades, begins),
    )


def synthetic_splits(
    symbol: str, first: date, last: date, *, seed: int = 0
) -> tuple[CorporateAction, ...]:
    """The splits with an ex-date from `first` to `last`, in order.

    Raises:
        ParameterError: The symbol is malformed, the seed negative or `last` after `LAST_DATE`.
    """
    splits = _levels(checked_contract(symbol), _checked_seed(seed), _checked_last(last)).splits
    return tuple(split for split in splits if first <= split.ex_date <= last)


@dataclass(frozen=True, slots=True, eq=False)
class _Day:
    """One session of one symbol.

    Attributes:
        symbol: The symbol.
        seed: The seed.
        levels: The symbol's.
        index: Days since `FIRST_DATE`.
        opened: The open, UTC.
        closed: The close.
    """

    symbol: str
    seed: int
    levels: _Levels
    index: int
    opened: np.datetime64
    closed: np.datetime64

    def minutes(self, *, extended_hours: bool) -> Bars:
        """Its minutes in order of time."""
        if not extended_hours:
            return self._regular()
        before, after = self._extended()
        return joined([before, self._regular(), after], self.symbol)

    def _regular(self) -> Bars:
        """A minute for each one from the open to the close."""
        stream = _stream(self.seed, self.symbol, _NOISE, self.index)
        count = int((self.closed - self.opened) / _MINUTE)
        past = np.arange(1, count + 1) / count
        walk = np.cumsum(stream.standard_normal(count)) * self.levels.volatility
        opened, closed = self.levels.open[self.index], self.levels.close[self.index]
        bridge = walk + past * (np.log(closed / opened) - walk[-1])
        closes = opened * np.exp(bridge)
        opens = np.append(opened, closes[:-1])
        profile = 0.6 + 4.0 * np.abs(past - 0.5) ** 2 + 2.0 * np.exp(-30.0 * past)
        spread = np.exp(0.4 * stream.standard_normal(count))
        volume = self.levels.volume * count / _FULL_DAY * profile / profile.sum() * spread
        stamps = self.opened + np.arange(count) * _MINUTE
        return self._bars(stream, stamps, np.stack([opens, closes]), volume)

    def _extended(self) -> tuple[Bars, Bars]:
        """The minutes before the open that have a trade, and those after the close."""
        stream = _stream(self.seed, self.symbol, _EXTENDED, self.index)
        total = _PRE_MARKET_MINUTES + _POST_MARKET_MINUTES
        traded = stream.random(total) < _EXTENDED_SHARE
        before, opened, closed = (
            np.log(level[self.index])
            for level in (self.levels.before, self.levels.open, self.levels.close)
        )
        overnight = np.linspace(before, opened, _PRE_MARKET_MINUTES)
        middle = np.concatenate([overnight, np.full(_POST_MARKET_MINUTES, closed)])
        noise = self.levels.volatility * stream.standard_normal((2, total))
        volume = self.levels.volume / 5_000 * np.exp(stream.standard_normal(total))
        minutes = np.concatenate(
            [
                self.opened - np.arange(_PRE_MARKET_MINUTES, 0, -1) * _MINUTE,
                self.closed + np.arange(_POST_MARKET_MINUTES) * _MINUTE,
            ]
        )
        bars = self._bars(stream, minutes, np.exp(middle + noise), volume)
        early = np.arange(total) < _PRE_MARKET_MINUTES
        return bars[traded & early], bars[traded & ~early]

    def _bars(
        self, stream: np.random.Generator, stamps: Timestamps, ends: Floats, volume: Floats
    ) -> Bars:
        """Bars whose high and low reach a little beyond open and close, prices in cents.

        Args:
            stream: What their reach is drawn from.
            stamps: Starts, shape (n,).
            ends: Open and close in dollars, shape (2, n).
            volume: Shares, shape (n,).
        """
        reach = 0.5 * self.levels.volatility * np.abs(stream.standard_normal(ends.shape))
        high = np.round(ends.max(axis=0) * np.exp(reach[0]), _CENTS)
        low = np.round(ends.min(axis=0) * np.exp(-reach[1]), _CENTS)
        shares = np.maximum(np.round(volume), 1.0)
        return Bars(
            symbol=self.symbol,
            timestamps=stamps,
            open=np.round(ends[0], _CENTS),
            high=high,
            low=low,
            close=np.round(ends[1], _CENTS),
            volume=shares,
            vwap=np.round(low + (high - low) * stream.random(len(stamps)), _VWAP_DECIMALS),
            trades=np.ceil(shares / 80.0),
        )


def _levels(symbol: str, seed: int, last: date) -> _Levels:
    return _levels_until(symbol, seed, last.year)


@lru_cache(maxsize=256)
def _levels_until(symbol: str, seed: int, year: int) -> _Levels:
    """Levels from `FIRST_DATE` to the end of a year; a longer range begins with the same values."""
    character = _stream(seed, symbol, _CHARACTER)
    start = float(np.exp(character.normal(4.0, 0.7)))
    daily = float(character.uniform(0.012, 0.022))
    volume = float(np.exp(character.normal(14.5, 0.8)))
    days = (date(year, 12, 31) - FIRST_DATE).days + 1
    # A row per day, so that more days leave the first ones as they are.
    shocks = _stream(seed, symbol, _LEVELS).standard_normal((days, 2)) * daily
    logarithm = np.log(start) + np.cumsum(shocks.sum(axis=1) * 0.7 + 0.00015)
    before = np.append(np.log(start), logarithm[:-1])
    gap = 0.4 * shocks[:, 0]
    splits, divisor = _splits(symbol, seed, np.exp(before), year)
    return _Levels(
        open=np.exp(before + gap) / divisor,
        close=np.exp(logarithm) / divisor,
        before=np.exp(before) / divisor,
        splits=splits,
        volatility=daily / np.sqrt(390.0),
        volume=volume,
    )


def _splits(
    symbol: str, seed: int, before: Floats, year: int
) -> tuple[tuple[CorporateAction, ...], Floats]:
    """The splits, and the product of the ratios up to and including each day, shape (d,).

    Args:
        symbol: The symbol.
        seed: The seed.
        before: The level at the close before each day since `FIRST_DATE`, as if never split.
        year: The last one.
    """
    divisor = np.ones(len(before))
    splits: list[CorporateAction] = []
    every = sessions(FIRST_DATE, date(year, 12, 31)).dates
    for current in range(FIRST_DATE.year + 1, year + 1):
        of_year = every[every.astype("datetime64[Y]").astype(int) + 1970 == current]
        chosen = of_year[int(_stream(seed, symbol, _CHARACTER, current).integers(len(of_year)))]
        index = int((chosen - np.datetime64(FIRST_DATE)).astype(int))
        ratio = _split_ratio(before[index] / divisor[index])
        if ratio is None:
            continue
        divisor[index:] *= ratio
        splits.append(
            CorporateAction(
                symbol=symbol, kind=ActionKind.SPLIT, ex_date=chosen.item(), value=ratio
            )
        )
    return tuple(splits), divisor


def _split_ratio(price: float) -> float | None:
    """New shares per old one of a share at this price; None when it is left as it is."""
    if price < CHEAP:
        return _CONSOLIDATION
    if price <= DEAR:
        return None
    return min(_SPLIT_RATIOS, key=lambda ratio: abs(np.log(price / ratio / SPLIT_TO)))


def _stream(seed: int, symbol: str, *purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(symbol.encode()), *purpose])


def _checked_seed(seed: int) -> int:
    if seed < 0:
        raise ParameterError("seed", seed, "0 or more", "pass for instance 0")
    return seed


def _checked_last(last: date) -> date:
    if last > LAST_DATE:
        allowed = f"at or before {LAST_DATE.isoformat()}"
        raise ParameterError("end", last.isoformat(), allowed, "pass an earlier date")
    return max(last, FIRST_DATE)
