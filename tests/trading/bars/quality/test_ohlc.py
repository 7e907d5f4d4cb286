"""Each planted fault gets its verdict, and what is fine passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from trading.arrays import Floats
from trading.bars.model import Bars
from trading.bars.quality import ohlc
from trading.bars.quality.findings import CheckResult, Status
from trading.instruments.actions import ActionKind, CorporateAction

START = np.datetime64("2024-01-02T14:30", "ns")


def bars(count: int = 3) -> Bars:
    base: Floats = 100.0 + np.arange(count, dtype=np.float64)
    return Bars(
        symbol="AAPL",
        timestamps=START + np.arange(count) * np.timedelta64(60, "s"),
        open=base,
        high=base + 1.0,
        low=base - 1.0,
        close=np.asarray(base + 0.5, np.float64),
        volume=np.full(count, 1_000.25),
        vwap=np.asarray(base + 0.1, np.float64),
        trades=np.full(count, 7.0),
    )


def planted(field: str, value: float, row: int = 1) -> Bars:
    sound = bars()
    values = getattr(sound, field).copy()
    values[row] = value
    return replace(sound, **{field: values})


def found(checked: Bars) -> dict[str, CheckResult]:
    return {check.check: check for check in ohlc.check_bars(checked) if check.status.severity}


def test_sound_bars_pass_every_check() -> None:
    assert found(bars()) == {}


@pytest.mark.parametrize(
    ("field", "value", "check", "status"),
    [
        ("low", 101.2, "price_bounds", Status.FAIL),
        ("high", 100.9, "price_bounds", Status.FAIL),
        ("open", 102.5, "price_bounds", Status.FAIL),
        ("close", 99.0, "price_bounds", Status.FAIL),
        ("open", 0.0, "prices_positive", Status.FAIL),
        ("low", -1.0, "prices_positive", Status.FAIL),
        ("close", float("nan"), "prices_positive", Status.FAIL),
        ("high", float("inf"), "prices_positive", Status.FAIL),
        ("volume", -0.5, "volumes", Status.FAIL),
        ("volume", float("nan"), "volumes", Status.FAIL),
        ("volume", float("inf"), "volumes", Status.FAIL),
        ("vwap", 102.1, "vwap_bounds", Status.WARN),
        ("vwap", 99.9, "vwap_bounds", Status.WARN),
    ],
)
def test_a_planted_fault_gets_its_verdict_and_its_row(
    field: str, value: float, check: str, status: Status
) -> None:
    result = found(planted(field, value))[check]
    assert result.status is status
    assert result.count == 1
    assert result.findings[0].row == 1
    assert result.findings[0].timestamp == "2024-01-02T14:31:00Z"


@pytest.mark.parametrize(
    ("field", "value"),
    [("low", 101.0), ("high", 101.5), ("volume", 0.0), ("volume", 0.125), ("vwap", float("nan")),
     ("vwap", 100.0), ("vwap", 102.0), ("trades", float("nan"))],
)  # fmt: skip
def test_what_is_unusual_and_true_passes(field: str, value: float) -> None:
    assert found(planted(field, value)) == {}


def test_all_rows_are_counted_and_the_first_are_named() -> None:
    wrong = replace(bars(50), volume=np.full(50, -1.0))
    (result,) = found(wrong).values()
    assert (result.count, len(result.findings)) == (50, 20)


def test_repeated_stray_and_withdrawn_rows_are_warned_of() -> None:
    assert ohlc.repeated_rows("AAPL", 0).status is Status.PASS
    assert ohlc.repeated_rows("AAPL", 2).status is Status.WARN
    assert ohlc.stray_rows(Bars.empty("AAPL")).status is Status.PASS
    assert ohlc.stray_rows(bars(2)).count == 2
    early = np.datetime64("1990-01-01", "ns")
    assert ohlc.withdrawn_rows(bars(3), bars(3), early).status is Status.PASS
    gone = ohlc.withdrawn_rows(bars(3), bars(3)[np.array([True, False, True])], early)
    assert [finding.row for finding in gone.findings] == [1]
    beyond = ohlc.withdrawn_rows(bars(3), bars(3)[2:], bars(3).timestamps[2])
    assert beyond.status is Status.PASS, (
        "what is older than the source reaches is not its to repeat"
    )


def test_a_bar_between_the_starts_of_the_grid_is_warned_of_within_the_session_alone() -> None:
    grid = bars(3).timestamps[[0, 2]]
    inside = np.array([True, True, True])
    assert [f.row for f in ohlc.off_grid(bars(3), grid, inside).findings] == [1]
    assert ohlc.off_grid(bars(3), grid, ~inside).status is Status.PASS


def sessions(*prices: tuple[str, float, float, float]) -> ohlc.SessionPrices:
    dates, opens, closes, volumes = zip(*prices, strict=True)
    return ohlc.SessionPrices(
        dates=np.array(dates, "datetime64[D]"),
        open=np.array(opens),
        close=np.array(closes),
        volume=np.array(volumes),
    )


def action(kind: ActionKind, ex_date: date, value: float) -> CorporateAction:
    return CorporateAction(symbol="AAPL", kind=kind, ex_date=ex_date, value=value)


HALVED = sessions(
    ("2024-06-06", 100.0, 101.0, 1e6), ("2024-06-07", 50.0, 50.4, 2e6), ("2024-06-10", 51, 52, 2e6)
)


def test_a_price_that_halves_is_a_suspicion_and_not_a_split() -> None:
    before = HALVED.close.copy()
    result = ohlc.jumps("AAPL", HALVED, ())
    assert result.status is Status.WARN
    assert [f.timestamp for f in result.findings] == ["2024-06-07"]
    assert "-50.5%" in result.message
    assert "split missing?" in result.message
    assert (HALVED.close == before).all()


@pytest.mark.parametrize(
    ("ex_date", "value", "status"),
    [
        (date(2024, 6, 7), 2.0, Status.PASS),
        (date(2024, 6, 10), 2.0, Status.WARN),  # of another day: nothing explains the first, and
        (date(2024, 6, 6), 2.0, Status.WARN),
        (date(2024, 6, 7), 0.5, Status.WARN),
        (date(2024, 6, 7), 1.5, Status.PASS),
    ],
)
def test_only_a_split_of_that_day_and_ratio_explains_a_jump(
    ex_date: date, value: float, status: Status
) -> None:
    split = action(ActionKind.SPLIT, ex_date, value)
    assert ohlc.jumps("AAPL", HALVED, [split]).status is status


def test_a_special_dividend_explains_a_fall() -> None:
    paid = action(ActionKind.DIVIDEND, date(2024, 6, 7), 50.0)
    assert ohlc.jumps("AAPL", HALVED, [paid]).status is Status.PASS


@pytest.mark.parametrize(
    ("factor", "status"),
    [(0.61, Status.PASS), (0.59, Status.WARN), (1.39, Status.PASS), (1.41, Status.WARN)],
)
def test_a_jump_counts_beyond_forty_percent_in_either_direction(
    factor: float, status: Status
) -> None:
    two = sessions(("2024-06-06", 100, 100, 1), ("2024-06-07", 100 * factor, 100 * factor, 1))
    assert ohlc.jumps("AAPL", two, ()).status is status


def test_a_jump_that_the_session_takes_back_is_seen() -> None:
    two = sessions(("2024-06-06", 100, 100, 1), ("2024-06-07", 50, 75, 1))
    assert ohlc.jumps("AAPL", two, ()).count == 1


def test_one_session_or_none_has_no_jump() -> None:
    assert ohlc.jumps("AAPL", sessions(("2024-06-06", 1, 1, 1)), ()).status is Status.PASS
    nothing = np.empty(0)
    none = ohlc.SessionPrices(
        dates=nothing.astype("datetime64[D]"), open=nothing, close=nothing, volume=nothing
    )
    assert ohlc.jumps("AAPL", none, ()).status is Status.PASS


def test_minutes_that_do_not_sum_to_the_day_are_warned_of() -> None:
    minutes = sessions(
        ("2024-06-06", 1, 1, 89.0), ("2024-06-07", 1, 1, 91.0), ("2024-06-10", 1, 1, 5.0)
    )
    days = sessions(
        ("2024-06-06", 1, 1, 100.0), ("2024-06-07", 1, 1, 100.0), ("2024-06-11", 1, 1, 9)
    )
    result = ohlc.volume_sums("AAPL", minutes, days)
    assert result.status is Status.WARN
    assert [f.timestamp for f in result.findings] == ["2024-06-06"], "what only one has is a gap"


def test_the_worst_outcome_counts() -> None:
    assert ohlc.worst(()) is Status.PASS
    both = [ohlc.stray_rows(bars(1)), *ohlc.check_bars(planted("volume", -1.0))]
    assert ohlc.worst(both) is Status.FAIL
