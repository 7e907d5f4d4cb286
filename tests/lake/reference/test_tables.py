"""Reference data: tables that come back as they went, universes, and what a source adds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.market_data.files.source import FileSource
from adapters.market_data.synthetic_bars import SyntheticBarSource
from lake.reference.listings import read_listings
from lake.reference.refresh import refresh_actions, refresh_instruments
from lake.reference.tables import (
    read_actions,
    read_history,
    read_instruments,
    write_actions,
    write_history,
    write_instruments,
)
from lake.reference.universes import read_universe, universe_names, write_universe
from storage.directory import Directory, open_directory
from storage.errors import ContentError
from trading.bars.synthetic import contract_names
from trading.errors import ParameterError
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.history import SymbolHistory, SymbolPeriod
from trading.instruments.instrument import Instrument

SPLIT = CorporateAction(
    symbol="AAPL",
    kind=ActionKind.SPLIT,
    ex_date=date(2020, 8, 31),
    value=4.0,
    known_at=datetime(2020, 7, 30, 20, tzinfo=UTC),
)
DIVIDEND = CorporateAction(
    symbol="AAPL", kind=ActionKind.DIVIDEND, ex_date=date(2020, 8, 7), value=0.82, currency="EUR"
)


@pytest.fixture
def lake(tmp_path: Path) -> Directory:
    return open_directory(str(tmp_path / "lake"), "lake_dir")


def test_tables_come_back_as_they_went(lake: Directory) -> None:
    assert (read_actions(lake), read_instruments(lake), read_history(lake).periods) == ((), (), ())
    write_actions(lake, [SPLIT, DIVIDEND])
    assert read_actions(lake) == (DIVIDEND, SPLIT)
    assert read_actions(lake, "MSFT") == ()
    one = Instrument(
        symbol="AAPL", name="Apple Inc.", exchange="XNAS", sector="Technology",
        increment=Decimal("0.001"), listed=date(1980, 12, 12),
    )  # fmt: skip
    write_instruments(lake, [Instrument(symbol="ZZZ", delisted=date(2001, 1, 2)), one])
    assert read_instruments(lake)[0] == one
    history = SymbolHistory(
        (SymbolPeriod(symbol="FB", instrument="facebook", last=date(2022, 6, 8)),)
    )
    write_history(lake, history)
    assert read_history(lake) == history


def test_a_table_that_contradicts_itself_is_refused_by_its_name(lake: Directory) -> None:
    write_history(lake, SymbolHistory((SymbolPeriod(symbol="FB", instrument="a"),)))
    path = Path(lake.url) / "reference/symbol_history.parquet"
    table = pq.read_table(path)
    twice = pa.concat_tables([table, table]).replace_schema_metadata(table.schema.metadata)
    pq.write_table(twice, path)
    with pytest.raises(ContentError, match=r"symbol_history\.parquet: .*at the same time"):
        read_history(lake)
    pq.write_table(table.drop(["first"]), path)
    with pytest.raises(ContentError, match="no column first"):
        read_history(lake)


def test_listings_are_read_again_when_a_table_has_changed(lake: Directory) -> None:
    assert read_listings(lake).on("AAPL") is None
    write_instruments(lake, [Instrument(symbol="AAPL", listed=date(2020, 1, 2))])
    listed = read_listings(lake).on("AAPL")
    assert listed is not None
    assert (listed(date(2020, 1, 1)), listed(date(2020, 1, 2))) == (False, True)
    write_history(lake, SymbolHistory((SymbolPeriod(symbol="AAPL", instrument="x"),)))
    listed = read_listings(lake).on("AAPL")
    assert listed is not None
    assert listed(date(1990, 1, 1)), "the history of symbols knows better than the instruments"


def test_a_sources_actions_are_added_and_what_people_entered_stays(
    lake: Directory, tmp_path: Path
) -> None:
    write_actions(lake, [SPLIT])
    folder = tmp_path / "in"
    folder.mkdir()
    rows = "AAPL,2020-08-31,split,4.0\nAAPL,2014-06-09,split,7.0\nMSFT,2003-02-18,split,2.0\n"
    (folder / "_actions.csv").write_text(f"symbol,ex_date,kind,value\n{rows}")
    source = FileSource(open_directory(str(folder), "from"))
    span = (date(2000, 1, 1), date(2024, 1, 1))
    assert refresh_actions(lake, source, ["AAPL"], *span) == ()
    found = read_actions(lake)
    assert [a.ex_date.year for a in found] == [2014, 2020]
    assert found[1].known_at == SPLIT.known_at, "what is known of when it was announced is kept"
    changed = (Path(lake.url) / "reference/actions.parquet").stat().st_mtime_ns
    refresh_actions(lake, source, ["AAPL"], *span)
    assert (Path(lake.url) / "reference/actions.parquet").stat().st_mtime_ns == changed


def test_a_source_without_actions_says_so_for_each_symbol(lake: Directory, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source = FileSource(open_directory(str(tmp_path / "in"), "from"))
    failures = refresh_actions(lake, source, ["AAPL"], date(2000, 1, 1), date(2024, 1, 1))
    assert "there is no _actions.csv" in failures[0]


def test_instruments_are_taken_from_a_source(lake: Directory) -> None:
    result = refresh_instruments(lake, SyntheticBarSource(), ["AAPL", "MSFT"], date(2024, 6, 3))
    assert result.added == ("AAPL", "MSFT")
    assert [i.symbol for i in read_instruments(lake)] == ["AAPL", "MSFT"]
    again = refresh_instruments(lake, SyntheticBarSource(), ["AAPL", "MSFT"], date(2024, 6, 3))
    assert (again.added, again.delisted) == ((), ())


def test_universes_are_named_lists(lake: Directory) -> None:
    assert read_universe(lake, "sample") == tuple(contract_names(10))
    assert len(read_universe(lake, "sample-419")) == 419
    write_universe(lake, "mine", ["BRK-B", "AAPL"])
    assert read_universe(lake, "mine") == ("BRK-B", "AAPL")
    assert universe_names(lake) == ["mine", "sample", "sample-419"]
    lake.write_bytes("reference/universes/noted.txt", b"# large\n\nAAPL # Apple\n MSFT\n")
    assert read_universe(lake, "noted") == ("AAPL", "MSFT")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"AAPL\nAAPL\n", "AAPL is in it twice"), (b"# none\n", "names no symbol"),
     (b"aapl\n", "a line is no symbol: 'aapl'"), (b"\xff\xfe", "no text in UTF-8")],
)  # fmt: skip
def test_a_universe_that_cannot_be_used_says_why(
    lake: Directory, content: bytes, said: str
) -> None:
    lake.write_bytes("reference/universes/mine.txt", content)
    with pytest.raises(ContentError, match=said):
        read_universe(lake, "mine")


@pytest.mark.parametrize("name", ["nothing", "../../etc/passwd", ""])
def test_an_unknown_universe_names_those_that_there_are(lake: Directory, name: str) -> None:
    with pytest.raises(ParameterError, match="sample, sample-419"):
        read_universe(lake, name)
