from __future__ import annotations

import math
from datetime import date, timedelta

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.bars.resampling.minutes import assert_same_bits, random_bars, random_minutes
from trading.bars.intervals import MINUTE_INTERVALS, Interval
from trading.bars.model import PRICES, VALUES, Bars, joined
from trading.bars.resampling.grid import MINUTE, session_grid
from trading.bars.resampling.minutes import resample_minutes, session_bars
from trading.bars.resampling.model import ResampledBars
from trading.errors import DataError
from trading.instruments.calendar import Sessions, sessions

HALF_DAY_WEEK = sessions(date(2024, 11, 25), date(2024, 12, 2))
INTERVALS = (*MINUTE_INTERVALS, Interval.HOUR)

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "timestamp": pl.Datetime("ns"),
    **dict.fromkeys(PRICES, pl.Float64),
    "volume": pl.Float64,
    "dollars": pl.Float64,
    "trades": pl.Float64,
    "bar": pl.Datetime("ns"),
}


def labelled(minutes: Bars, within: Sessions, interval: Interval) -> pl.DataFrame:
    """The minutes inside sessions with the start of the bar each belongs to, by a plain loop."""
    rows = []
    for row, stamp in enumerate(minutes.timestamps):
        for start, end in zip(within.opens, within.closes, strict=True):
            if start <= stamp < end:
                step = interval.minutes * MINUTE
                bar = start
                while bar + step <= stamp:
                    bar += step
                values = {
                    name: getattr(minutes, name)[row] for name in (*PRICES, "volume", "trades")
                }
                dollars = minutes.vwap[row] * minutes.volume[row] if minutes.volume[row] else 0.0
                rows.append({"timestamp": stamp, **values, "dollars": dollars, "bar": bar})
    return pl.DataFrame(rows, schema=SCHEMA)


def by_polars(frame: pl.DataFrame) -> pl.DataFrame:
    return (
        frame.group_by("bar")
        .agg(
            pl.col("open").sort_by("timestamp").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").sort_by("timestamp").last(),
            pl.col("volume").sum(),
            pl.col("trades").sum(),
            pl.col("dollars").sum(),
            pl.len().alias("present"),
        )
        .sort("bar")
    )


def by_duckdb(frame: pl.DataFrame) -> pl.DataFrame:
    with duckdb.connect() as connection:
        connection.register("minutes", frame.to_arrow())
        table = connection.sql(
            "SELECT bar, arg_min(open, timestamp) AS open, max(high) AS high, min(low) AS low, "
            "arg_max(close, timestamp) AS close, sum(volume) AS volume, sum(trades) AS trades, "
            "sum(dollars) AS dollars, count(*) AS present FROM minutes GROUP BY bar ORDER BY bar"
        ).to_arrow_table()
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found


def assert_equals(made: ResampledBars, frame: pl.DataFrame) -> None:
    np.testing.assert_array_equal(made.bars.timestamps, frame["bar"].to_numpy())
    for name in PRICES:
        np.testing.assert_array_equal(getattr(made.bars, name), frame[name].to_numpy())
    np.testing.assert_array_equal(made.present, frame["present"].to_numpy())
    for name in ("volume", "trades"):
        np.testing.assert_allclose(getattr(made.bars, name), frame[name].to_numpy(), rtol=1e-9)
    volumes = frame["volume"].to_list()
    vwap = [d / v if v else math.nan for d, v in zip(frame["dollars"], volumes, strict=True)]
    np.testing.assert_allclose(made.bars.vwap, vwap, rtol=1e-9)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    first=st.dates(date(2015, 1, 1), date(2024, 12, 20)),
    days=st.integers(0, 4),
    kept=st.sampled_from([0.02, 0.6, 1.0]),
    interval=st.sampled_from(INTERVALS),
)
def test_random_minutes_with_gaps_equal_polars_and_duckdb(
    seed: int, first: date, days: int, kept: float, interval: Interval
) -> None:
    within = sessions(first, first + timedelta(days=days))
    minutes = random_minutes(seed, within, kept)
    made = resample_minutes(minutes, within, [interval])[interval]
    frame = labelled(minutes, within, interval).sample(fraction=1.0, shuffle=True, seed=seed)
    assert_equals(made, by_polars(frame))
    assert_equals(made, by_duckdb(frame))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    first=st.dates(date(2015, 1, 1), date(2024, 12, 20)),
    kept=st.sampled_from([0.05, 0.9, 1.0]),
    data=st.data(),
)
def test_a_session_by_itself_gives_the_same_bits_as_among_others(
    seed: int, first: date, kept: float, data: st.DataObject
) -> None:
    within = sessions(first, first + timedelta(days=14))
    minutes = random_minutes(seed, within, kept)
    at = data.draw(st.integers(0, len(within) - 1))
    alone = Sessions(*(getattr(within, name)[at : at + 1] for name in ("dates", "opens", "closes")))
    inside = (alone.opens[0] <= minutes.timestamps) & (minutes.timestamps < alone.closes[0])
    whole = resample_minutes(minutes, within)
    # Once from its own minutes, once from all of them.
    for given_minutes in (minutes[inside], minutes):
        for interval, made in resample_minutes(given_minutes, alone).items():
            bars = whole[interval]
            rows = (alone.opens[0] <= bars.bars.timestamps) & (
                bars.bars.timestamps < alone.closes[0]
            )
            assert_same_bits(made, bars[rows])


@pytest.mark.parametrize("interval", INTERVALS)
def test_complete_minutes_fill_the_whole_grid(interval: Interval) -> None:
    minutes = random_minutes(1, HALF_DAY_WEEK, kept=2.0)
    made = resample_minutes(minutes, HALF_DAY_WEEK, [interval])[interval]
    grid = session_grid(HALF_DAY_WEEK, interval.minutes)
    np.testing.assert_array_equal(made.bars.timestamps, grid.starts)
    np.testing.assert_array_equal(made.available_at, grid.ends)
    np.testing.assert_array_equal(made.expected, grid.minutes)
    assert made.complete.all()


def test_a_gap_is_counted_and_an_empty_bar_is_not_emitted() -> None:
    within = sessions(date(2024, 1, 2), date(2024, 1, 2))
    stamps = session_grid(within, 1).starts
    missing = np.r_[0, 20, 21:42, 389]
    minutes = random_bars(2, np.delete(stamps, missing))
    made = resample_minutes(minutes, within, [Interval.MINUTES_21])[Interval.MINUTES_21]
    assert len(made) == 18
    # A bar keeps its label though its own first minute is missing.
    assert made.bars.timestamps[:2].tolist() == [stamps[0].item(), stamps[42].item()]
    assert made.bars.open[0] == minutes.open[0]
    assert made.present[[0, 1, -1]].tolist() == [19, 21, 11]
    assert made.expected[[0, 1, -1]].tolist() == [21, 21, 12]
    assert made.complete.tolist() == [False, *[True] * 16, False]


def test_minutes_outside_the_session_take_no_part() -> None:
    within = sessions(date(2024, 11, 27), date(2024, 11, 29))
    around = np.concatenate(
        [
            np.arange(start - 90 * MINUTE, end + 180 * MINUTE, MINUTE)
            for start, end in zip(within.opens, within.closes, strict=True)
        ]
    )
    minutes = random_bars(3, around)
    inside = np.isin(around, session_grid(within, 1).starts)
    assert 0 < inside.sum() < len(around)
    only = resample_minutes(minutes[inside], within)
    for interval, made in resample_minutes(minutes, within).items():
        assert_same_bits(made, only[interval])
        assert made.complete.all()


@pytest.mark.parametrize("kept", [0.5, 1.0])
def test_the_order_of_the_rows_plays_no_part(kept: float) -> None:
    minutes = random_minutes(4, HALF_DAY_WEEK, kept)
    order = np.random.default_rng(5).permutation(len(minutes))
    sorted_ones = resample_minutes(minutes, HALF_DAY_WEEK)
    for interval, made in resample_minutes(minutes[order], HALF_DAY_WEEK).items():
        assert_same_bits(made, sorted_ones[interval])


def test_strided_arrays_give_the_same_bits() -> None:
    minutes = random_minutes(4, HALF_DAY_WEEK, 0.9)
    table = np.stack([getattr(minutes, name) for name in VALUES], axis=1)
    strided = Bars(
        symbol="AAPL",
        timestamps=minutes.timestamps,
        **{name: table[:, at] for at, name in enumerate(VALUES)},
    )
    contiguous = session_bars(minutes, HALF_DAY_WEEK)
    assert_same_bits(session_bars(strided, HALF_DAY_WEEK), contiguous)


def test_a_minute_without_a_price_is_missing() -> None:
    minutes = random_minutes(6, HALF_DAY_WEEK, kept=1.0)
    gone = np.arange(len(minutes)) % 7 == 3
    broken = minutes[:]
    broken.low[gone] = np.nan
    for interval, made in resample_minutes(broken, HALF_DAY_WEEK).items():
        assert np.isfinite(made.bars.low).all()
        assert_same_bits(
            made, resample_minutes(minutes[~gone], HALF_DAY_WEEK, [interval])[interval]
        )


def test_volumes_that_are_missing_or_zero_make_no_average() -> None:
    within = sessions(date(2024, 1, 2), date(2024, 1, 2))
    minutes = random_bars(7, session_grid(within, 1).starts[:8])
    minutes.vwap[:] = np.arange(10.0, 18.0)
    minutes.volume[:] = [0, 0, 0, 2, 0, 6, 1, np.nan]
    # A price without a volume weighs nothing, whatever it is.
    minutes.vwap[4] = np.nan
    made = resample_minutes(minutes, within, [Interval.MINUTES_3])[Interval.MINUTES_3].bars
    np.testing.assert_array_equal(made.volume, [0, 8, np.nan])
    np.testing.assert_array_equal(made.vwap, [np.nan, (2 * 13 + 6 * 15) / 8, np.nan])
    single = resample_minutes(minutes, within, [Interval.MINUTE])[Interval.MINUTE].bars
    np.testing.assert_array_equal(single.vwap, [np.nan, np.nan, np.nan, 13, np.nan, 15, 16, 17])


def test_one_minutes_average_is_kept_to_the_bit() -> None:
    within = sessions(date(2024, 1, 2), date(2024, 1, 2))
    minutes = random_bars(7, session_grid(within, 1).starts[:4])
    minutes.vwap[:], minutes.volume[:] = 0.1, 3.0
    assert 0.1 * 3.0 / 3.0 != 0.1
    made = resample_minutes(minutes, within)
    assert made[Interval.MINUTES_3].bars.vwap[1] == 0.1
    assert (made[Interval.MINUTE].bars.vwap == 0.1).all()


def test_one_bar_of_a_whole_session() -> None:
    minutes = random_minutes(8, HALF_DAY_WEEK, kept=0.7)
    made = session_bars(minutes, HALF_DAY_WEEK)
    assert made.expected.tolist() == [390, 390, 390, 210, 390]
    np.testing.assert_array_equal(made.bars.timestamps, HALF_DAY_WEEK.opens)
    np.testing.assert_array_equal(made.available_at, HALF_DAY_WEEK.closes)
    for row, (start, end) in enumerate(zip(HALF_DAY_WEEK.opens, HALF_DAY_WEEK.closes, strict=True)):
        part = minutes[(start <= minutes.timestamps) & (minutes.timestamps < end)]
        assert made.present[row] == len(part)
        assert made.bars.open[row] == part.open[0]
        assert made.bars.high[row] == max(part.high.tolist())
        assert made.bars.low[row] == min(part.low.tolist())
        assert made.bars.close[row] == part.close[-1]
        assert made.bars.volume[row] == pytest.approx(math.fsum(part.volume.tolist()), rel=1e-9)


@pytest.mark.parametrize("within", [HALF_DAY_WEEK, sessions(date(2024, 1, 6), date(2024, 1, 7))])
def test_no_minutes_make_no_bars(within: Sessions) -> None:
    for made in (
        *resample_minutes(Bars.empty("A"), within).values(),
        session_bars(Bars.empty("A"), within),
    ):
        assert len(made) == len(made.available_at) == len(made.expected) == len(made.present) == 0
        assert made.bars.symbol == "A"


def test_what_cannot_be_placed_is_refused() -> None:
    minutes = random_minutes(9, HALF_DAY_WEEK)
    with pytest.raises(DataError, match=r"bars of AAPL: two begin at .* UTC; keep"):
        resample_minutes(joined([minutes, minutes[3:4]], "AAPL"), HALF_DAY_WEEK)
    odd = random_bars(9, minutes.timestamps + np.timedelta64(30, "s"))
    with pytest.raises(DataError, match=r"minutes of AAPL: .* UTC is not a full minute; label"):
        resample_minutes(odd, HALF_DAY_WEEK)
    with pytest.raises(ValueError, match="counts sessions, not minutes"):
        resample_minutes(minutes, HALF_DAY_WEEK, [Interval.DAY])
