"""As-of lookup: renames, reused symbols, delistings."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError
from trading.instruments.history import SymbolHistory, SymbolPeriod
from trading.instruments.instrument import Instrument
from trading.instruments.maintenance import maintained

META = SymbolHistory(
    (
        SymbolPeriod(
            symbol="META", instrument="roundhill", first=date(2021, 6, 30), last=date(2022, 1, 30)
        ),
        SymbolPeriod(symbol="METV", instrument="roundhill", first=date(2022, 1, 31)),
        SymbolPeriod(
            symbol="FB", instrument="facebook", first=date(2012, 5, 18), last=date(2022, 6, 8)
        ),
        SymbolPeriod(symbol="META", instrument="facebook", first=date(2022, 6, 9)),
    )
)


@pytest.mark.parametrize(
    ("symbol", "day", "instrument"),
    [
        ("META", date(2021, 7, 1), "roundhill"),
        ("META", date(2022, 1, 30), "roundhill"),
        ("META", date(2022, 1, 31), None),
        ("META", date(2022, 6, 9), "facebook"),
        ("META", date(2021, 6, 29), None),
        ("FB", date(2012, 5, 18), "facebook"),
        ("FB", date(2022, 6, 8), "facebook"),
        ("FB", date(2022, 6, 9), None),
        ("METV", date(2030, 1, 1), "roundhill"),
        ("TSLA", date(2022, 1, 1), None),
    ],
)
def test_a_reused_symbol_is_the_instrument_of_the_day(
    symbol: str, day: date, instrument: str | None
) -> None:
    assert META.instrument(symbol, day) == instrument


def test_an_instrument_keeps_itself_over_a_rename() -> None:
    assert META.symbol("facebook", date(2022, 6, 8)) == "FB"
    assert META.symbol("facebook", date(2022, 6, 9)) == "META"
    assert META.symbol("facebook", date(2012, 5, 17)) is None
    first = SymbolHistory((SymbolPeriod(symbol="FB", instrument="facebook"),))
    renamed = first.renamed("FB", "META", date(2022, 6, 9))
    assert renamed.instrument("FB", date(2022, 6, 8)) == "facebook"
    assert renamed.instrument("META", date(2022, 6, 9)) == "facebook"
    assert renamed.instrument("FB", date(2022, 6, 9)) is None


def test_a_rename_of_nothing_or_to_what_is_taken_is_refused() -> None:
    with pytest.raises(DataError, match="no instrument is called XYZ"):
        META.renamed("XYZ", "ABC", date(2023, 1, 1))
    with pytest.raises(DataError, match="at the same time"):
        META.renamed("METV", "META", date(2023, 1, 1))


DAYS = st.dates(date(2000, 1, 1), date(2000, 2, 28))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("AB"), st.sampled_from("xy"), DAYS, st.integers(0, 20)),
        max_size=6,
    )
)
def test_whatever_is_accepted_has_one_answer_a_day(rows: list[tuple[str, str, date, int]]) -> None:
    periods = tuple(
        SymbolPeriod(symbol=s, instrument=i, first=d, last=d + timedelta(days=n))
        for s, i, d, n in rows
    )

    def clashes(attribute: str) -> bool:
        return any(
            getattr(p, attribute) == getattr(q, attribute) and p.has(day) and q.has(day)
            for a, p in enumerate(periods)
            for q in periods[a + 1 :]
            for day in (max(p.first or date.min, q.first or date.min),)
        )

    if clashes("symbol") or clashes("instrument"):
        with pytest.raises(DataError):
            SymbolHistory(periods)
    else:
        SymbolHistory(periods)


TODAY = date(2024, 6, 3)
EVE = TODAY - timedelta(days=1)
NONE = SymbolHistory()


def test_maintenance_finds_what_is_new_gone_and_reused() -> None:
    known = (
        Instrument(
            symbol="AAPL", name="Apple Inc.", sector="Technology", listed=date(1980, 12, 12)
        ),
        Instrument(symbol="GONE", listed=date(2000, 1, 3)),
        Instrument(symbol="OLD", listed=date(2000, 1, 3), delisted=date(2010, 5, 3)),
    )
    listed = (
        Instrument(symbol="AAPL", name="Apple", kind=""),
        Instrument(symbol="NEW", listed=TODAY),
        Instrument(symbol="OLD", name="Another", listed=date(2020, 1, 2)),
    )
    result = maintained(known, NONE, listed, ["AAPL", "GONE", "NEW", "OLD"], TODAY)
    by_symbol = {(i.symbol, i.listed): i for i in result.instruments}
    assert result.added == ("NEW", "OLD")
    assert result.delisted == ("GONE",)
    assert by_symbol["GONE", date(2000, 1, 3)].delisted == TODAY
    apple = by_symbol["AAPL", date(1980, 12, 12)]
    assert (apple.name, apple.kind, apple.sector) == ("Apple", "stock", "Technology")
    assert by_symbol["OLD", date(2000, 1, 3)].delisted == date(2010, 5, 3)
    assert by_symbol["OLD", date(2020, 1, 2)].name == "Another"


def test_maintenance_leaves_alone_what_was_not_looked_for_and_repeats_nothing() -> None:
    known = (Instrument(symbol="AAPL"), Instrument(symbol="MSFT"))
    result = maintained(known, NONE, [Instrument(symbol="MSFT")], ["MSFT"], TODAY)
    assert result.instruments == known
    again = maintained(result.instruments, NONE, [], ["MSFT"], TODAY)
    assert again.delisted == ("MSFT",)
    assert maintained(again.instruments, NONE, [], ["MSFT"], date(2025, 1, 1)).delisted == ()


def test_a_delisted_instrument_that_the_source_lists_with_its_date_is_the_same() -> None:
    ended = Instrument(symbol="OLD", delisted=date(2010, 5, 3))
    result = maintained([ended], NONE, [ended], ["OLD"], TODAY)
    assert result.instruments == (ended,)
    assert (result.added, result.delisted) == ((), ())


FACEBOOK = Instrument(symbol="FB", identifier="F", listed=date(2012, 5, 18), sector="Media")
FUND = Instrument(symbol="META", identifier="R", listed=date(2021, 6, 30))
FORMER = Instrument(symbol="META", listed=date(1996, 1, 2), delisted=date(2001, 5, 31))


def renamed_twice() -> tuple[Instrument, ...]:
    return (
        replace(FACEBOOK, symbol="META", listed=None, sector=""),
        replace(FUND, symbol="METV", listed=None),
    )


def test_a_rename_is_found_by_the_identifier_and_frees_the_symbol_for_another() -> None:
    """Each symbol is the right instrument at each date, in whatever order the list has them."""
    for listed in (renamed_twice(), renamed_twice()[::-1]):
        result = maintained([FACEBOOK, FORMER, FUND], NONE, listed, ["FB", "META"], TODAY)
        assert sorted(result.renamed) == [("FB", "META"), ("META", "METV")]
        assert (result.added, result.delisted) == ((), ())
        known = {(i.symbol, i.identifier): i for i in result.instruments}
        assert set(known) == {("META", "F"), ("META", ""), ("METV", "R")}
        assert known["META", "F"].sector == "Media"
        history = result.history
        assert history.instrument("FB", EVE) == "F"
        assert history.instrument("FB", TODAY) is None
        assert history.instrument("META", date(2001, 5, 31)) == "META-19960102"
        assert history.instrument("META", date(2010, 1, 4)) is None
        assert (history.instrument("META", EVE), history.instrument("META", TODAY)) == ("R", "F")
        assert history.instrument("METV", TODAY) == "R"
        again = maintained(result.instruments, history, listed, ["META", "METV"], TODAY)
        assert (again.instruments, again.history) == (result.instruments, history)
        assert again.renamed == ()


def test_a_rename_that_was_stored_by_halves_is_stored_whole_the_next_time() -> None:
    """Otherwise the history would be asked to rename what it has renamed."""
    listed = [replace(FACEBOOK, symbol="META")]
    result = maintained([FACEBOOK], NONE, listed, ["FB"], TODAY)
    for day in (TODAY, TODAY + timedelta(days=3)):
        again = maintained([FACEBOOK], result.history, listed, ["FB"], day)
        assert again.history == result.history
        assert again.instruments == result.instruments


def test_a_symbol_that_another_instrument_has_now_is_two_instruments() -> None:
    new = Instrument(symbol="FB", identifier="N")
    result = maintained([FACEBOOK], NONE, [new], ["FB"], TODAY)
    assert [(i.identifier, i.listed, i.delisted) for i in result.instruments] == [
        ("F", date(2012, 5, 18), EVE), ("N", TODAY, None),
    ]  # fmt: skip
    assert (result.added, result.delisted) == (("FB",), ("FB",))


def test_a_former_instrument_of_a_symbol_does_not_take_the_place_of_the_one_that_trades() -> None:
    """The list's order decides nothing."""
    known = Instrument(symbol="META", sector="Media")
    former = Instrument(symbol="META", delisted=date(2001, 5, 31))
    result = maintained([known], NONE, [former, replace(known, sector="")], ["META"], TODAY)
    assert [(i.delisted, i.sector) for i in result.instruments] == [
        (date(2001, 5, 31), ""), (None, "Media"),
    ]  # fmt: skip


def test_a_list_that_lacks_too_much_ends_nothing() -> None:
    known = [Instrument(symbol=f"S{number:02}") for number in range(40)]
    symbols = [instrument.symbol for instrument in known]
    with pytest.raises(DataError, match="40 of 40 that traded are not in the source's list"):
        maintained(known, NONE, [], symbols, TODAY)
    assert len(maintained(known, NONE, known[4:], symbols, TODAY).delisted) == 4
