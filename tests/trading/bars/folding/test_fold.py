"""The fold against plain loops that share no code with it, and against silver's resampling."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.bars.folding.fold import Fold, FoldSettings
from trading.bars.intervals import MINUTE_INTERVALS, Interval
from trading.bars.model import VALUES, Bars
from trading.bars.resampling.minutes import resample_minutes
from trading.errors import DataError
from trading.events import CLOCK, BarClosed, Tick, WholeMinute
from trading.instruments.calendar import Sessions, sessions

MINUTE = 60 * 10**9
SECOND = 10**9
ORDINARY = date(2024, 1, 3)
HALF_DAY = date(2024, 7, 3)
DAYS = [ORDINARY, HALF_DAY, date(2024, 3, 11), date(2024, 11, 4)]
"""An ordinary day, one that closes at 13:00, and the first after each change of the clocks."""

ALL_KEPT = FoldSettings(remembered=600)


def hours(day: date) -> tuple[Sessions, int, int]:
    within = sessions(day, day)
    return within, int(within.opens.astype(np.int64)[0]), int(within.closes.astype(np.int64)[0])


def clock(ts: int) -> Tick:
    return Tick(CLOCK, ts, 0.0, 0.0, 0)


def last_revisions(bars: Iterable[BarClosed]) -> dict[tuple[str, str, int], BarClosed]:
    """The bars that stand in the end; revisions must come in order, none left out."""
    found: dict[tuple[str, str, int], BarClosed] = {}
    for bar in bars:
        key = (bar.symbol, bar.interval, bar.ts)
        assert bar.revision == (found[key].revision + 1 if key in found else 0)
        found[key] = bar
    return found


def plain(bar: BarClosed) -> tuple[object, ...]:
    """What a bar says, without how it came about."""
    return (
        bar.symbol, bar.interval, bar.ts, bar.open, bar.high, bar.low, bar.close, bar.volume,
        bar.vwap, bar.trades,
    )  # fmt: skip


def looped(ticks: Sequence[Tick], open_: int, close: int, length: int) -> set[tuple[object, ...]]:
    """Bars by a plain loop over trades, for whole shares and prices in quarters.

    With these every sum is exact, so it does not matter how minutes are added up.
    """
    windows: dict[tuple[str, int], dict[int, Tick]] = defaultdict(dict)
    for tick in ticks:
        if open_ <= tick.ts < close:
            start = open_ + (tick.ts - open_) // (length * MINUTE) * length * MINUTE
            windows[tick.symbol, start].setdefault(tick.number, tick)
    bars: set[tuple[object, ...]] = set()
    for (symbol, start), by_number in windows.items():
        trades = sorted(by_number.values(), key=lambda tick: (tick.ts, tick.number))
        prices = [tick.price for tick in trades]
        volume = sum(tick.size for tick in trades)
        dollars = sum(tick.price * tick.size for tick in trades)
        bars.add((
            symbol, f"{length}m", start, prices[0], max(prices), min(prices), prices[-1], volume,
            dollars / volume if volume else None, len(trades),
        ))  # fmt: skip
    return bars


@st.composite
def logs(draw: st.DrawFn) -> tuple[date, list[Tick]]:
    """A day and a log of its ticks: late, doubled, out of order, outside the session; idle times.

    Prices are quarters and sizes powers of two, so that averages are exact as well.
    """
    day = draw(st.sampled_from(DAYS))
    _, open_, close = hours(day)
    count = draw(st.integers(0, 60))
    moments = st.integers(-2 * MINUTE, close - open_ + 2 * MINUTE) | st.sampled_from(
        [0, -1, MINUTE - 1, MINUTE, close - open_ - 1, close - open_]
    )
    ticks = [
        Tick(
            draw(st.sampled_from(["A", "B", "IDLE-ISH"])),
            open_ + draw(moments),
            draw(st.integers(1, 40)) / 4,
            float(draw(st.sampled_from([0, 1, 2, 4]))),
            number,
        )
        for number in range(count)
    ]
    told = (
        draw(st.permutations(ticks)) if draw(st.booleans()) else sorted(ticks, key=lambda t: t.ts)
    )
    again = draw(st.lists(st.sampled_from(ticks), max_size=10)) if ticks else []
    log: list[Tick] = [clock(open_ - 5 * MINUTE), *told, *again]
    times = sorted(draw(st.lists(st.integers(0, close - open_ + 5 * MINUTE), max_size=12)))
    places = sorted(draw(st.integers(1, len(log))) for _ in times)
    for time, place in reversed(list(zip(times, places, strict=True))):
        log.insert(place, clock(open_ + time))
    return day, [*log, clock(close + 10 * MINUTE)]


@settings(max_examples=60)
@given(logs())
def test_whatever_the_order_the_bars_in_the_end_are_those_of_a_plain_loop(
    given_: tuple[date, list[Tick]],
) -> None:
    day, log = given_
    _, open_, close = hours(day)
    bars = last_revisions(Fold(ALL_KEPT).take(log))
    trades = [tick for tick in log if tick.symbol != CLOCK]
    for interval in MINUTE_INTERVALS:
        made = {plain(bar) for bar in bars.values() if bar.interval == interval}
        wanted = looped(trades, open_, close, interval.minutes)
        assert {bar[:8] for bar in made} == {bar[:8] for bar in wanted}
        assert {bar[-1] for bar in made} == {bar[-1] for bar in wanted}
        averages = {bar[:3]: bar[8] for bar in wanted}
        for bar in made:
            expected = averages[bar[:3]]
            if expected is None:
                assert bar[8] is None
            else:
                assert bar[8] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=25)
@given(logs(), st.data())
def test_a_fold_that_goes_on_from_a_stored_state_says_the_same_to_the_bit(
    given_: tuple[date, list[Tick]], data: st.DataObject
) -> None:
    _, log = given_
    whole = list(Fold().take(log))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(log)), max_size=4)))
    fold, parts, before = Fold(), [], 0
    for cut in [*cuts, len(log)]:
        parts += list(fold.take(log[before:cut]))
        fold, before = Fold.restored(fold.stored()), cut
    assert parts == whole


@settings(max_examples=30)
@given(st.data())
def test_no_order_of_the_ticks_shows_in_the_bits_of_their_sums(data: st.DataObject) -> None:
    _, open_, close = hours(ORDINARY)
    amounts = st.floats(0.0, 1e9, allow_subnormal=False)
    sizes = data.draw(st.lists(amounts, min_size=1, max_size=40))
    ticks = [
        Tick("A", open_ + n, data.draw(st.floats(0.01, 1e4)), size, n)
        for n, size in enumerate(sizes)
    ]
    end = clock(close + MINUTE)
    orders = [ticks, ticks[::-1], data.draw(st.permutations(ticks))]
    made = [last_revisions(Fold().take([clock(open_), *order, end])).values() for order in orders]
    assert {plain(b) for b in made[0]} == {plain(b) for b in made[1]} == {plain(b) for b in made[2]}
    (minute,) = (bar for bar in made[0] if bar.interval == "1m")
    assert minute.volume == math.fsum(sizes)


@pytest.mark.parametrize("day", DAYS)
def test_whole_minutes_make_the_bars_of_silver_to_the_bit(day: date) -> None:
    within, open_, close = hours(day)
    rng = np.random.default_rng(day.toordinal())
    log = [clock(open_ - MINUTE)]
    minutes: dict[str, Bars] = {}
    for symbol in ("A", "B"):
        minutes[symbol] = _random_minutes(symbol, open_, close, rng)
    told = sorted(
        (tick for bars in minutes.values() for tick in whole_minutes(bars)), key=lambda t: t.ts
    )
    for tick in told:
        log += [tick, clock(tick.ts + MINUTE)]
    bars = last_revisions(Fold().take([*log, clock(close + MINUTE)]))
    assert {bar.revision for bar in bars.values()} == {0}
    for symbol, source in minutes.items():
        silver = resample_minutes(source, within)
        for interval in MINUTE_INTERVALS:
            mine = [b for b in bars.values() if (b.symbol, b.interval) == (symbol, interval)]
            assert rows_of(mine) == rows_of_silver(silver[interval].bars)
            ends = silver[interval].available_at.astype(np.int64).tolist()
            assert [bar.available_at for bar in mine] == ends


def test_an_idle_symbol_closes_by_the_clock_after_the_lateness_and_the_last_bar_at_the_close() -> (
    None
):
    _, open_, close = hours(HALF_DAY)
    fold = Fold(replace(FoldSettings(), intervals=(Interval.MINUTE, Interval.MINUTES_8)))
    lateness = fold.settings.lateness
    assert not list(fold.take([clock(open_), Tick("A", open_ + 1, 10.0, 5.0, 1)]))
    assert not list(fold.take([clock(open_ + MINUTE + lateness - 1)]))
    (first,) = fold.take([clock(open_ + MINUTE + lateness)])
    assert (first.interval, first.ts, first.available_at) == ("1m", open_, open_ + MINUTE)
    (eight,) = fold.take([clock(open_ + 8 * MINUTE + lateness)])
    assert (eight.interval, eight.ts, eight.trades) == ("8m", open_, 1)
    last = Tick("A", close - 1, 11.0, 5.0, 2)
    assert not list(fold.take([last, clock(close + lateness - 1)]))
    made = list(fold.take([clock(close + lateness)]))
    assert [(bar.interval, bar.ts) for bar in made] == [
        ("1m", close - MINUTE), ("8m", close - 2 * MINUTE),
    ]  # fmt: skip
    assert all(bar.available_at == close for bar in made)


def test_a_late_tick_corrects_every_closed_bar_it_is_in_and_says_since_when() -> None:
    _, open_, _ = hours(ORDINARY)
    fold = Fold()
    list(fold.take([clock(open_), Tick("A", open_ + 1, 10.0, 5.0, 1)]))
    now = open_ + 4 * MINUTE
    assert len(list(fold.take([clock(now)]))) == 2  # 1m and 3m
    late = list(fold.take([Tick("A", open_ + 2, 12.0, 5.0, 2)]))
    assert [(b.interval, b.revision, b.close, b.volume) for b in late] == [
        ("1m", 1, 12.0, 10.0), ("3m", 1, 12.0, 10.0),
    ]  # fmt: skip
    assert {bar.available_at for bar in late} == {now}
    new = list(fold.take([Tick("B", open_ + 2, 7.0, 5.0, 1)]))
    assert [(b.symbol, b.interval, b.revision) for b in new] == [("B", "1m", 0), ("B", "3m", 0)]
    assert fold.counters.late == 2


def test_a_tick_that_comes_again_or_too_late_makes_nothing_and_is_counted() -> None:
    _, open_, close = hours(ORDINARY)
    fold = Fold(replace(FoldSettings(), remembered=3))
    tick = Tick("A", open_ + 1, 10.0, 5.0, 1)
    list(fold.take([clock(open_), tick, tick, clock(open_ + 2 * MINUTE)]))
    assert not list(fold.take([tick, Tick("A", close, 1.0, 1.0, 3)]))
    list(fold.take([clock(open_ + 10 * MINUTE)]))
    assert not list(fold.take([Tick("A", open_ + 5, 10.0, 5.0, 2)]))
    for price, size in [(math.nan, 1.0), (0.0, 1.0), (math.inf, 1.0), (1.0, -1.0), (1.0, math.nan)]:
        assert not list(fold.take([Tick("A", open_ + 10 * MINUTE, price, size, 7)]))
    counted = fold.counters
    assert (counted.without_effect, counted.outside, counted.too_late) == (2, 1, 1)
    assert counted.unsound == 5


def test_a_minute_told_as_a_whole_counts_instead_of_its_trades_and_the_latest_telling_counts() -> (
    None
):
    _, open_, _ = hours(ORDINARY)
    fold = Fold(replace(FoldSettings(), intervals=(Interval.MINUTE,)))
    trade = Tick("A", open_ + 1, 10.0, 5.0, 1)
    list(fold.take([clock(open_), trade, clock(open_ + 2 * MINUTE)]))
    told = WholeMinute(9.0, 12.0, 8.0, 11.0, 100.0, 10.5, 7.0)
    (bar,) = fold.take([Tick("A", open_, 11.0, 100.0, 5, minute=told)])
    assert (bar.open, bar.trades, bar.vwap, bar.revision) == (9.0, 7, 10.5, 1)
    assert not list(fold.take([Tick("A", open_ + 2, 99.0, 5.0, 2)]))
    assert not list(fold.take([Tick("A", open_, 1.0, 1.0, 4, minute=WholeMinute(1, 1, 1, 1, 1))]))
    (bar,) = fold.take([Tick("A", open_, 1.0, 1.0, 6, minute=WholeMinute(1, 1, 1, 1, 1))])
    assert (bar.open, bar.trades, bar.vwap, bar.revision) == (1.0, None, None, 2)


def test_sessions_follow_each_other_and_yesterdays_ticks_come_too_late() -> None:
    _, open_, close = hours(ORDINARY)
    _, next_open, _ = hours(date(2024, 1, 4))
    fold = Fold()
    list(fold.take([clock(open_), Tick("A", close - 1, 10.0, 5.0, 1)]))
    closing = list(fold.take([clock(next_open - MINUTE)]))
    assert {bar.interval for bar in closing} == set(MINUTE_INTERVALS)
    assert not list(fold.take([Tick("A", close - 2, 10.0, 5.0, 2)]))
    made = list(fold.take([Tick("A", next_open, 9.0, 1.0, 3), clock(next_open + 2 * MINUTE)]))
    assert [(bar.ts, bar.close) for bar in made] == [(next_open, 9.0)]


def test_a_state_of_another_version_or_of_other_settings_is_refused() -> None:
    with pytest.raises(DataError, match="the state of open bars"):
        Fold.restored(b"\x91\x63")
    other = Fold(replace(FoldSettings(), lateness=1)).stored()
    with pytest.raises(DataError, match="it was made with"):
        Fold.restored(other)


def _random_minutes(symbol: str, open_: int, close: int, rng: np.random.Generator) -> Bars:
    stamps = np.arange(open_, close, MINUTE)
    stamps = stamps[rng.random(len(stamps)) < 0.8]
    count = len(stamps)
    middle = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, count)))
    open_prices, close_prices = middle, middle * np.exp(rng.normal(0, 1e-3, count))
    volume = np.where(rng.random(count) < 0.1, 0.0, rng.random(count) * 1e4)
    return Bars(
        symbol=symbol,
        timestamps=stamps.astype("datetime64[ns]"),
        open=open_prices,
        high=np.maximum(open_prices, close_prices) + 0.1,
        low=np.minimum(open_prices, close_prices) - 0.1,
        close=close_prices,
        volume=volume,
        vwap=np.where(volume > 0, (open_prices + close_prices) / 2, np.nan),
        trades=rng.integers(0, 50, count).astype(float),
    )


def whole_minutes(bars: Bars) -> list[Tick]:
    columns = [getattr(bars, name).tolist() for name in VALUES]
    ticks = []
    for ts, *values in zip(bars.timestamps.astype(np.int64).tolist(), *columns, strict=True):
        known = [None if math.isnan(value) else value for value in values]
        ticks.append(
            Tick(bars.symbol, ts, values[3], values[4], 1, minute=WholeMinute(*known))  # type: ignore[arg-type]
        )
    return ticks


def rows_of(bars: Sequence[BarClosed]) -> list[tuple[object, ...]]:
    assert all(a.ts < b.ts for a, b in pairwise(bars))
    return [(b.ts, b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trades) for b in bars]


def rows_of_silver(bars: Bars) -> list[tuple[object, ...]]:
    columns = [
        [None if math.isnan(value) else value for value in getattr(bars, name).tolist()]
        for name in VALUES
    ]
    return list(zip(bars.timestamps.astype(np.int64).tolist(), *columns, strict=True))
