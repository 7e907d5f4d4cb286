"""Which partitions should exist, which are due, and in which files they are kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.market_data.synthetic_bars import SyntheticBarSource
from lake.bronze.dataset import BronzeDataset
from lake.bronze.keys import Stretch, covering, parsed_stretch
from lake.bronze.rows import fingerprint
from lake.bronze.settlement import settlement_start
from lake.dataset import PartitionStatus
from lake.grain import Grain
from lake.reference.tables import write_history, write_instruments
from tests.lake.bronze.deliveries import DAY, NOW, Lake
from trading.bars.intervals import Interval
from trading.bars.synthetic_minutes import synthetic_minutes
from trading.errors import ParameterError
from trading.instruments.calendar import sessions
from trading.instruments.history import SymbolHistory, SymbolPeriod
from trading.instruments.instrument import Instrument

JANUARY = sessions(date(2024, 1, 1), date(2024, 1, 31)).dates


def stems(stretches: list[Stretch]) -> list[str]:
    return [stretch.stem for stretch in stretches]


@pytest.mark.parametrize(
    ("grain", "expected"),
    [(Grain.MONTH, ["2024-01"]), (Grain.YEAR, ["2024"]), (Grain.SESSION, 21)],
)
def test_a_grain_says_what_a_partition_covers(grain: Grain, expected: list[str] | int) -> None:
    found = covering(JANUARY, grain, ())
    assert (len(found) if isinstance(expected, int) else stems(found)) == expected


def test_what_is_stored_keeps_its_stretch() -> None:
    month, day = Stretch(date(2024, 1, 1), Grain.MONTH), Stretch(date(2024, 1, 3), Grain.SESSION)
    assert covering(JANUARY, Grain.SESSION, {month}) == [month]
    assert len(covering(JANUARY, Grain.MONTH, {day})) == 21
    dates = sessions(date(2024, 1, 1), date(2024, 2, 29)).dates
    assert stems(covering(dates, Grain.YEAR, {day}))[-2:] == ["20240131", "2024-02"]
    assert stems(covering(dates, Grain.SESSION, {Stretch(date(2024, 1, 1), Grain.YEAR)})) == [
        "2024"
    ]


@settings(deadline=None)
@given(
    first=st.dates(date(2023, 11, 1), date(2024, 3, 31)),
    days=st.integers(0, 90),
    grain=st.sampled_from([Grain.SESSION, Grain.MONTH, Grain.YEAR]),
    wishes=st.lists(st.sampled_from([Grain.SESSION, Grain.MONTH, Grain.YEAR]), max_size=4),
)
def test_each_session_belongs_to_one_file_however_it_was_asked_for(
    first: date, days: int, grain: Grain, wishes: list[Grain]
) -> None:
    dates = sessions(first, first + timedelta(days=days)).dates
    stored: set[Stretch] = set()
    for wish in wishes:  # what earlier commands would have stored, each of half of the range
        stored |= set(covering(dates[len(dates) // 2 :], wish, stored))
    found = covering(dates, grain, stored)
    everything = stored | set(found)
    for day in dates:
        holders = [s for s in everything if s.first <= day.item() <= s.last]
        assert len(holders) == 1
        assert holders[0] in found
    assert found == sorted(found, key=lambda s: s.first)


@pytest.mark.parametrize("stem", ["2024", "2024-01", "20240102"])
def test_a_stem_names_its_stretch(stem: str) -> None:
    stretch = parsed_stretch(stem)
    assert stretch is not None
    assert stretch.stem == stem
    assert (
        stretch.last
        == {4: date(2024, 12, 31), 7: date(2024, 1, 31), 8: date(2024, 1, 2)}[len(stem)]
    )


@pytest.mark.parametrize("stem", ["20241301", "2024-13", "all", "0000", "20240102x", ""])
def test_what_names_no_stretch_is_none(stem: str) -> None:
    assert parsed_stretch(stem) is None


def test_a_stretch_begins_and_ends_at_midnight_in_new_york() -> None:
    spring = Stretch(date(2024, 3, 10), Grain.SESSION)
    assert (spring.end - spring.start.astimezone(UTC)) == timedelta(hours=23)


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (datetime(2024, 1, 10, 20, tzinfo=UTC), date(2024, 1, 4)),  # Wednesday, in the session
        (datetime(2024, 1, 10, 14, tzinfo=UTC), date(2024, 1, 3)),  # before the open
        (datetime(2024, 1, 15, 20, tzinfo=UTC), date(2024, 1, 8)),  # a holiday
        (datetime(2024, 1, 7, 20, tzinfo=UTC), date(2023, 12, 29)),  # a Sunday
    ],
)
def test_the_last_five_sessions_are_not_settled(now: datetime, first: date) -> None:
    assert settlement_start(now) == first


def test_missing_unsettled_and_done(lake: Lake) -> None:
    source, now = SyntheticBarSource(), datetime(2024, 1, 16, 12, tzinfo=UTC)
    request = lake.request("synthetic", first=date(2024, 1, 2), last=date(2024, 1, 12))
    assert set(lake.states(request, now)) == {PartitionStatus.MISSING}
    lake.ingest(source, request, now)
    states = lake.states(request, now)
    assert states.count(PartitionStatus.DONE) == 4
    assert states[4:] == [PartitionStatus.UNSETTLED] * 5
    before = lake.contents()
    assert len(lake.ingest(source, request, now)) == 5, "unsettled ones are fetched again"
    assert lake.contents() == before


def test_what_was_fetched_before_it_was_settled_is_fetched_once_more_when_it_is(lake: Lake) -> None:
    source, early = SyntheticBarSource(), datetime(2024, 1, 4, 2, tzinfo=UTC)
    request = lake.request("synthetic")
    lake.ingest(source, request, early)
    assert len(lake.due(request)) == 1, "nobody looked while the source may have corrected it"
    (summary,) = lake.ingest(source, request)
    assert not summary.written
    assert lake.due(request) == []


def test_sessions_that_have_not_begun_are_not_wanted(lake: Lake) -> None:
    now = datetime(2024, 1, 3, 14, 29, tzinfo=UTC)
    request = lake.request("synthetic", first=date(2024, 1, 2), last=date(2024, 1, 31))
    assert [key.stretch.stem for key in lake.due(request, now)] == ["20240102"]
    later = now + timedelta(minutes=1)
    assert [key.stretch.stem for key in lake.due(request, later)] == ["20240102", "20240103"]


def test_another_version_of_the_format_is_stale(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = lake.request("synthetic")
    lake.ingest(SyntheticBarSource(), request)
    monkeypatch.setattr("lake.bronze.dataset.SCHEMA_VERSION", "2")
    assert lake.states(request) == [PartitionStatus.STALE]


def test_stored_days_outside_of_the_request_are_not_orphans(lake: Lake) -> None:
    wide = lake.request("synthetic", first=date(2024, 1, 2), last=date(2024, 1, 8))
    lake.ingest(SyntheticBarSource(), wide)
    dataset = BronzeDataset(None, clock=lambda: NOW)
    stored = dataset.stored(lake.request("synthetic"), "AAPL")
    assert list(stored) == ["bronze/synthetic/1m/AAPL/20240103.parquet"]


def test_nothing_is_expected_while_an_instrument_was_not_listed(lake: Lake) -> None:
    write_instruments(
        lake.directory,
        [Instrument(symbol="AAPL", listed=date(2024, 1, 4), delisted=date(2024, 1, 9))],
    )
    request = lake.request("synthetic", first=date(2024, 1, 2), last=date(2024, 1, 12))
    expected = ["20240104", "20240105", "20240108", "20240109"]
    assert [key.stretch.stem for key in lake.due(request)] == expected
    days = lake.request("synthetic", Interval.DAY, first=date(2024, 1, 2), last=date(2024, 1, 12))
    early = datetime(2024, 2, 1, tzinfo=UTC)
    (summary,) = lake.ingest(SyntheticBarSource(), days, early)
    assert summary.missing == 0


def test_a_reused_symbol_is_expected_in_both_of_its_lives(lake: Lake) -> None:
    periods = (
        SymbolPeriod(symbol="AAPL", instrument="a", last=date(2024, 1, 3)),
        SymbolPeriod(symbol="AAPL", instrument="b", first=date(2024, 1, 11)),
    )
    write_history(lake.directory, SymbolHistory(periods))
    request = lake.request("synthetic", first=date(2024, 1, 2), last=date(2024, 1, 12))
    expected = ["20240102", "20240103", "20240111", "20240112"]
    assert [key.stretch.stem for key in lake.due(request)] == expected


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"symbols": ()}, "symbols"),
        ({"symbols": ("AAPL", "AAPL")}, "symbols"),
        ({"symbols": ("../etc",)}, "contract"),
        ({"first": date(2024, 1, 4)}, "end"),
        ({"grain": Grain.BAR}, "grain"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    lake: Lake, changed: dict[str, object], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        lake.request(**changed)  # type: ignore[arg-type]


def test_the_same_rows_of_another_source_have_another_fingerprint(
    lake: Lake,
) -> None:
    bars = synthetic_minutes("AAPL", DAY, DAY)
    keys = [
        lake.due(lake.request(source, interval))[0]
        for source, interval in (
            ("synthetic", Interval.MINUTE), ("yahoo", Interval.MINUTE),
            ("synthetic", Interval.HOUR),
        )
    ]  # fmt: skip
    assert len({fingerprint(key, bars) for key in keys}) == 3
    assert fingerprint(keys[0], bars[:-1]) != fingerprint(keys[0], bars)
