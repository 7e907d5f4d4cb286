"""Instruments, symbols, actions and gaps of the lake in the database."""

from __future__ import annotations

from datetime import date

import pytest

from database.actions import actions_until
from database.connection import Database
from database.gaps import open_gaps
from database.instruments import instrument_as_of, symbols_of
from flows.loading.reference import copy_gaps, copy_reference
from lake.bronze.keys import BronzeKey, checked_stretch
from lake.bronze.records import GapRecord, close_gaps, write_gaps
from lake.reference.tables import write_actions, write_history, write_instruments
from tests.flows.loading.bronze import days, put
from tests.lake.bronze.deliveries import Lake
from trading.bars.intervals import Interval
from trading.bars.quality.gaps import GapReason, SessionGap
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.history import SymbolHistory, SymbolPeriod
from trading.instruments.instrument import Instrument

SPLIT = CorporateAction(symbol="AAPL", kind=ActionKind.SPLIT, ex_date=date(2020, 8, 31), value=4.0)
GONE = Instrument(symbol="META", listed=date(1996, 1, 2), delisted=date(2001, 5, 31))
META = Instrument(symbol="META", name="Meta Platforms", listed=date(2012, 5, 18))
HISTORY = SymbolHistory(
    (
        SymbolPeriod(symbol="FB", instrument="F1", first=date(2012, 5, 18), last=date(2022, 6, 8)),
        SymbolPeriod(symbol="META", instrument="F1", first=date(2022, 6, 9)),
        SymbolPeriod(
            symbol="META", instrument="G1", first=date(1996, 1, 2), last=date(2001, 5, 31)
        ),
    )
)


def name_on(database: Database, symbol: str, day: date) -> tuple[str, str] | None:
    found = instrument_as_of(database, symbol, day)
    return None if found is None else (found.id, found.instrument.name)


def test_a_rename_and_a_reused_symbol_are_as_the_history_has_them(
    lake: Lake, database: Database
) -> None:
    write_instruments(lake.directory, [GONE, META, Instrument(symbol="MSFT", name="Microsoft")])
    write_history(lake.directory, HISTORY)
    write_actions(lake.directory, [SPLIT])
    assert copy_reference(database, lake.directory) == 3 + 4 + 1
    assert name_on(database, "META", date(2001, 5, 31)) == ("G1", "")
    assert name_on(database, "META", date(2001, 6, 1)) is None
    assert name_on(database, "FB", date(2012, 5, 18)) == ("F1", "Meta Platforms")
    assert name_on(database, "FB", date(2022, 6, 8)) == ("F1", "Meta Platforms")
    assert name_on(database, "FB", date(2022, 6, 9)) is None
    assert name_on(database, "META", date(2022, 6, 9)) == ("F1", "Meta Platforms")
    assert name_on(database, "MSFT", date(1990, 1, 1)) == ("MSFT", "Microsoft")
    assert [p.symbol for p in symbols_of(database, "F1")] == ["FB", "META"]
    assert actions_until(database, ["AAPL"], date(2021, 1, 1)) == [SPLIT]
    assert copy_reference(database, lake.directory) == 0


@pytest.mark.parametrize("listed", [date(2012, 5, 18), None])
def test_without_a_history_a_reused_symbol_is_two_instruments(
    lake: Lake, database: Database, listed: date | None
) -> None:
    now = Instrument(symbol="META", name="Meta Platforms", listed=listed)
    write_instruments(lake.directory, [now, GONE])
    copy_reference(database, lake.directory)
    assert name_on(database, "META", date(2001, 5, 31)) == ("META-19960102", "")
    found = name_on(database, "META", date(2020, 1, 2))
    assert found is not None
    assert found[1] == "Meta Platforms"


def record(source: str, day: date, present: int) -> GapRecord:
    key = BronzeKey("AAPL", checked_stretch(f"{day:%Y%m%d}"), Interval.MINUTE, source)
    gap = SessionGap(day, 390, present, (("15:00", "15:10"),), GapReason.NOT_SERVED)
    return GapRecord(key, (gap,))


def test_gaps_are_open_while_the_lake_has_them_open(lake: Lake, database: Database) -> None:
    day, other = date(2024, 1, 2), date(2024, 1, 3)
    first, second = record("polygon", day, 380), record("polygon", other, 0)
    write_gaps(lake.directory, first)
    write_gaps(lake.directory, second)
    names = {"AAPL": ["polygon"]}
    assert copy_gaps(database, lake.directory, Interval.MINUTE, names) == 2
    assert [(g.session, g.present, g.reason) for g in open_gaps(database)] == [
        (day, 380, "not served"), (other, 0, "not served"),
    ]  # fmt: skip
    close_gaps(lake.directory, first.key)
    assert copy_gaps(database, lake.directory, Interval.MINUTE, names) == 1
    assert [gap.session for gap in open_gaps(database)] == [other]


def test_the_gap_of_a_source_that_does_not_count_is_no_gap(lake: Lake, database: Database) -> None:
    day, other = date(2024, 1, 2), date(2024, 1, 3)
    for source in ("polygon", "yahoo"):
        write_gaps(lake.directory, record(source, day, 10))
        write_gaps(lake.directory, record(source, other, 20))
    put(lake, days(day, day), "20240102", "yahoo", Interval.MINUTE)
    copy_gaps(database, lake.directory, Interval.MINUTE, {"AAPL": ["polygon", "yahoo"]})
    assert [(gap.session, gap.present) for gap in open_gaps(database)] == [(day, 10), (other, 20)]
    put(lake, days(other, other), "20240103", "polygon", Interval.MINUTE)
    write_gaps(lake.directory, record("yahoo", other, 30))
    copy_gaps(database, lake.directory, Interval.MINUTE, {"AAPL": ["yahoo", "polygon"]})
    assert [(gap.session, gap.present) for gap in open_gaps(database)] == [(day, 10), (other, 20)]
