from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from database.actions import actions_until, replace_actions
from database.connection import Database
from database.errors import DatabaseError
from database.gaps import SessionGap, open_gaps, record_gaps, replace_open_gaps
from database.instruments import (
    StoredInstrument,
    SymbolPeriod,
    instrument_as_of,
    replace_instruments,
    symbols_of,
)
from tests.database.batches import rows, versions
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.instrument import Instrument

FACEBOOK = StoredInstrument(
    id="BBG000MM2P62",
    instrument=Instrument(
        symbol="META", name="Meta Platforms", exchange="XNAS", listed=date(2012, 5, 18)
    ),
)
FUND = StoredInstrument(
    id="BBG00ZHCX1X2",
    instrument=Instrument(
        symbol="METV", name="Roundhill Ball Metaverse", kind="etf", increment=Decimal("0.001"),
        listed=date(2021, 6, 30),
    ),
)  # fmt: skip
GONE = StoredInstrument(
    id="META@1996",
    instrument=Instrument(symbol="META", listed=date(1996, 1, 2), delisted=date(2001, 5, 31)),
)
HISTORY = [
    SymbolPeriod(
        symbol="META", instrument_id=GONE.id, valid_from=date(1996, 1, 2), valid_to=date(2001, 6, 1)
    ),
    SymbolPeriod(
        symbol="FB", instrument_id=FACEBOOK.id, valid_from=date(2012, 5, 18),
        valid_to=date(2022, 6, 9),
    ),
    SymbolPeriod(
        symbol="META", instrument_id=FUND.id, valid_from=date(2021, 6, 30),
        valid_to=date(2022, 1, 31),
    ),
    SymbolPeriod(
        symbol="METV", instrument_id=FUND.id, valid_from=date(2022, 1, 31)
    ),
    SymbolPeriod(symbol="META", instrument_id=FACEBOOK.id, valid_from=date(2022, 6, 9)),
]  # fmt: skip


@pytest.fixture
def known(database: Database) -> Database:
    assert replace_instruments(database, [FACEBOOK, FUND, GONE], HISTORY) == 8
    return database


@pytest.mark.parametrize(
    ("symbol", "day", "meant"),
    [
        ("META", date(1996, 1, 1), None),
        ("META", date(1996, 1, 2), GONE),
        ("META", date(2001, 5, 31), GONE),
        ("META", date(2001, 6, 1), None),
        ("META", date(2021, 12, 31), FUND),
        ("META", date(2022, 1, 31), None),
        ("META", date(2022, 6, 8), None),
        ("META", date(2022, 6, 9), FACEBOOK),
        ("META", date(2099, 1, 1), FACEBOOK),
        ("FB", date(2022, 6, 8), FACEBOOK),
        ("FB", date(2022, 6, 9), None),
        ("METV", date(2022, 1, 31), FUND),
        ("NONE", date(2022, 1, 31), None),
    ],
)
def test_a_symbol_means_what_it_meant_on_the_day(
    known: Database, symbol: str, day: date, meant: StoredInstrument | None
) -> None:
    assert instrument_as_of(known, symbol, day) == meant


def test_an_instrument_keeps_its_history_of_symbols(known: Database) -> None:
    assert symbols_of(known, FACEBOOK.id) == [HISTORY[1], HISTORY[4]]
    assert symbols_of(known, "nobody") == []


def test_what_is_the_same_is_not_touched(known: Database) -> None:
    before = versions(known, "instrument") | versions(known, "symbol_history")
    assert replace_instruments(known, [FACEBOOK, FUND, GONE], HISTORY) == 0
    renamed = replace(FUND, instrument=replace(FUND.instrument, name="Metaverse"))
    assert replace_instruments(known, [FACEBOOK, renamed, GONE], HISTORY) == 2
    after = versions(known, "instrument") | versions(known, "symbol_history")
    assert len(before - after) == 1
    assert instrument_as_of(known, "METV", date(2023, 1, 1)) == renamed
    assert replace_instruments(known, [FUND], [HISTORY[3]]) == 8
    assert rows(known, "SELECT id FROM instrument") == [(FUND.id,)]


def test_a_symbol_never_means_two_instruments_at_once(known: Database) -> None:
    overlapping = replace(HISTORY[2], valid_to=date(2022, 6, 10))
    with pytest.raises(DatabaseError, match="one_instrument_at_a_time"):
        replace_instruments(known, [FACEBOOK, FUND, GONE], [*HISTORY[:2], overlapping, HISTORY[4]])
    with pytest.raises(DatabaseError, match="symbol_history_instrument_id_fkey"):
        replace_instruments(known, [FUND], HISTORY)
    assert instrument_as_of(known, "META", date(2022, 6, 9)) == FACEBOOK


MOMENT = datetime(2020, 8, 28, 12, tzinfo=UTC)
SPLIT = CorporateAction(
    symbol="AAPL", kind=ActionKind.SPLIT, ex_date=date(2020, 8, 31), value=4.0, known_at=MOMENT
)
DIVIDEND = replace(
    SPLIT, kind=ActionKind.DIVIDEND, ex_date=date(2020, 8, 7), value=0.82, known_at=None
)


def test_actions_are_known_by_their_ex_date(database: Database) -> None:
    other = replace(SPLIT, symbol="TSLA", value=5.0)
    assert replace_actions(database, [SPLIT, DIVIDEND, other]) == 3
    assert actions_until(database, ["AAPL"], date(2020, 8, 30)) == [DIVIDEND]
    assert actions_until(database, ["AAPL"], date(2020, 8, 31)) == [DIVIDEND, SPLIT]
    assert replace_actions(database, [SPLIT, DIVIDEND, other]) == 0
    assert replace_actions(database, [replace(SPLIT, value=7.0)]) == 4
    assert [a.value for a in actions_until(database, ["AAPL"], date(2021, 1, 1))] == [7.0]


def test_actions_that_contradict_each_other_are_refused(database: Database) -> None:
    replace_actions(database, [SPLIT])
    with pytest.raises(DatabaseError, match="corporate_action_pkey"):
        replace_actions(database, [DIVIDEND, SPLIT, replace(SPLIT, value=5.0)])
    assert actions_until(database, ["AAPL"], date(2021, 1, 1)) == [SPLIT]


GAP = SessionGap(
    symbol="AAPL", interval="1m", session=date(2024, 1, 2), expected=390, present=380,
    state="open", reason="not served",
)  # fmt: skip


def test_gaps_are_open_until_they_are_closed(database: Database) -> None:
    others = [replace(GAP, symbol="MSFT"), replace(GAP, interval="1d", expected=1, present=0)]
    assert record_gaps(database, [GAP, *others]) == 3
    assert record_gaps(database, [GAP, *others]) == 0
    assert open_gaps(database) == [others[1], GAP, others[0]]
    assert open_gaps(database, ["MSFT"]) == [others[0]]
    assert open_gaps(database, interval="1d") == [others[1]]
    assert open_gaps(database, []) == []
    closed = replace(GAP, present=390, state="closed", reason="")
    assert record_gaps(database, [closed]) == 1
    assert open_gaps(database, ["AAPL"], "1m") == []
    assert record_gaps(database, []) == 0


def test_the_open_gaps_are_those_of_the_lake_and_others_are_closed(database: Database) -> None:
    other = replace(GAP, session=date(2024, 1, 3))
    elsewhere = [replace(GAP, symbol="MSFT"), replace(GAP, interval="1d", expected=1, present=0)]
    record_gaps(database, [GAP, other, *elsewhere])
    assert replace_open_gaps(database, "1m", ["AAPL"], [other]) == 1
    assert open_gaps(database) == [elsewhere[1], other, elsewhere[0]]
    assert replace_open_gaps(database, "1m", ["AAPL"], [other]) == 0
    assert replace_open_gaps(database, "1m", ["AAPL", "MSFT"], []) == 2
    assert open_gaps(database) == [elsewhere[1]]


def test_gaps_that_cannot_be_are_refused_together(database: Database) -> None:
    with pytest.raises(DatabaseError, match="gap_present_check"):
        record_gaps(database, [GAP, replace(GAP, symbol="MSFT", present=-1)])
    assert open_gaps(database) == []
