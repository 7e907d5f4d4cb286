"""As-of lookup: renames, reused symbols, delistings."""

from __future__ import annotations

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
    result = maintained(known, listed, ["AAPL", "GONE", "NEW", "OLD"], TODAY)
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
    result = maintained(known, [Instrument(symbol="MSFT")], ["MSFT"], TODAY)
    assert result.instruments == known
    again = maintained(result.instruments, [], ["MSFT"], TODAY)
    assert again.delisted == ("MSFT",)
    assert maintained(again.instruments, [], ["MSFT"], date(2025, 1, 1)).delisted == ()


def test_a_delisted_instrument_that_the_source_lists_with_its_date_is_the_same() -> None:
    ended = Instrument(symbol="OLD", delisted=date(2010, 5, 3))
    result = maintained([ended], [ended], ["OLD"], TODAY)
    assert result.instruments == (ended,)
    assert (result.added, result.delisted) == ((), ())
