from __future__ import annotations

import threading
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database.bars import loading
from database.bars.batch import BarBatch
from database.bars.loading import LoadResult, load_bars
from database.bars.reading import corrections, read_bars
from database.connection import Database, open_database
from database.errors import DatabaseError
from database.loads import begin, loads
from tests.database.batches import (
    END,
    KNOWN,
    START,
    assert_same,
    bars,
    batch,
    changed,
    minutes,
    rows,
    versions,
)
from trading.arrays import Timestamps
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars, joined


def read(database: Database, symbol: str = "AAPL") -> Bars:
    return read_bars(database, symbol, Interval.MINUTE, START, END)


def test_what_was_loaded_is_read_to_the_bit_across_months(database: Database) -> None:
    # From the last evening of January into February, UTC.
    content = bars(minutes(900))
    assert load_bars(database, batch(content)) == LoadResult(rows=900, inserted=900)
    assert_same(read(database), content)
    assert rows(database, "SELECT count(*) FROM bar_1m_2024_01") == [(570,)]


def test_unchanged_bars_loaded_again_touch_no_row(database: Database) -> None:
    content = batch(bars(minutes(500)))
    load_bars(database, content)
    before = versions(database)
    assert load_bars(database, content) == LoadResult(rows=500)
    # Nor do they when they are said again later, as by a file with one more bar.
    later = replace(batch(bars(minutes(500))), known_at=KNOWN.replace(day=9))
    assert load_bars(database, later) == LoadResult(rows=500)
    assert versions(database) == before
    assert corrections(database, "AAPL", Interval.MINUTE) == []


def test_a_correction_touches_its_row_alone_and_is_kept(database: Database) -> None:
    content = bars(minutes(50))
    load_bars(database, batch(content))
    before = versions(database)
    new = changed(content, 7, close=content.open[7], vwap=np.nan, trades=4.0)
    flow_run_id = uuid4()
    result = load_bars(database, batch(new, hours=1), flow_run_id)
    assert result == LoadResult(rows=50, updated=1)
    assert result.unchanged == 49
    assert_same(read(database), new)
    assert len(before - versions(database)) == 1
    found = corrections(database, "AAPL", Interval.MINUTE)
    values = {c.column_name: (c.old_value, c.new_value) for c in found}
    assert {name: tuple(map(_number, pair)) for name, pair in values.items()} == {
        name: (_known(getattr(content, name)[7]), _known(getattr(new, name)[7]))
        for name in ("close", "vwap", "trades")
        if not _same(getattr(content, name)[7], getattr(new, name)[7])
    }
    assert {c.ts.replace(tzinfo=None) for c in found} == {
        content.timestamps[7].astype("M8[us]").item()
    }
    [first, second] = loads(database, "AAPL")
    assert {c.run_id for c in found} == {second.id}
    assert second.flow_run_id == flow_run_id
    assert (first.inserted, first.updated, second.inserted, second.updated) == (50, 0, 0, 1)


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _same(a: float, b: float) -> bool:
    return bool(a == b or (np.isnan(a) and np.isnan(b)))


def test_another_source_is_a_correction_too(database: Database) -> None:
    content = bars(minutes(3))
    load_bars(database, batch(content, source="yahoo"))
    assert load_bars(database, batch(content, hours=1, source="polygon")).updated == 3
    found = corrections(database, "AAPL", Interval.MINUTE)
    assert [(c.column_name, c.old_value, c.new_value) for c in found] == [
        ("source", "yahoo", "polygon")
    ] * 3


def test_an_earlier_batch_that_comes_late_changes_nothing_later(database: Database) -> None:
    first, second, third = (bars(minutes(4), seed) for seed in (1, 2, 1))
    load_bars(database, batch(first))
    load_bars(database, batch(third, hours=2))
    # What the third said is what was there, so no row tells of it.
    assert load_bars(database, batch(second, hours=1)) == LoadResult(rows=4, superseded=4)
    assert_same(read(database), third)


GRID = minutes(12, np.datetime64("2024-01-31T23:55", "ns"))


@st.composite
def deliveries(draw: st.DrawFn) -> list[BarBatch]:
    """Batches of some of the grid's bars, that became known one after the other or at once."""
    made = []
    for number in range(draw(st.integers(1, 6))):
        positions = draw(st.sets(st.integers(0, len(GRID) - 1), min_size=1))
        seed = draw(st.integers(0, 2))
        chosen: Timestamps = GRID[sorted(positions)]
        content = bars(GRID, seed)[np.array(sorted(positions))]
        assert len(chosen) == len(content)
        hours = draw(st.integers(0, number))
        made.append(batch(content, hours, draw(st.sampled_from(["polygon", "yahoo"]))))
    return made


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sent=deliveries(), data=st.data())
def test_in_any_order_and_repeated_batches_make_the_same_table(
    database: Database, sent: list[BarBatch], data: st.DataObject
) -> None:
    repeated = sent + data.draw(st.lists(st.sampled_from(sent), max_size=4))
    shuffled = data.draw(st.permutations(repeated))
    with database.transaction() as connection:
        connection.execute("TRUNCATE bar_1m, correction, load_run")
    states: list[Table] = [{}]
    for one in shuffled:
        load_bars(database, one)
        states.append(_values(database))
    assert states[-1] == _latest(sent)
    assert _replayed(database, states) == states[-1]


Table = dict[object, dict[str, object]]


def _values(database: Database) -> Table:
    names = (*VALUES, "source")
    found = rows(database, f"SELECT ts, {', '.join(names)} FROM bar_1m")  # noqa: S608
    return {ts: dict(zip(names, values, strict=True)) for ts, *values in found}


def _latest(sent: list[BarBatch]) -> Table:
    """By a loop: what the latest batch with a bar says of it."""
    table: Table = {}
    for one in sorted(sent, key=lambda b: (b.known_at, b.digest)):
        for row in one.rows.to_pylist():
            ts = row.pop("ts")
            table[ts] = row | {"source": one.source}
    return table


def _replayed(database: Database, states: list[Table]) -> Table:
    """The bars as they were first seen, with each correction made."""
    first: Table = {}
    for state in reversed(states):
        first |= {ts: dict(row) for ts, row in state.items()}
    for correction in corrections(database, "AAPL", Interval.MINUTE):
        row, name = first[correction.ts], correction.column_name
        assert _as_text(row[name]) == correction.old_value
        new = correction.new_value
        row[name] = new if name == "source" or new is None else float(new)
    return first


def _as_text(value: object) -> str | None:
    """As Postgres writes it: whole numbers without a fraction."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if value is None else str(value)


def test_days_have_a_table_of_their_own(database: Database) -> None:
    days = bars(np.array(["2023-12-29", "2024-01-02"], "datetime64[ns]"))
    load_bars(database, batch(days, interval=Interval.DAY))
    assert_same(read_bars(database, "AAPL", Interval.DAY, START, END), days)
    assert rows(database, "SELECT count(*) FROM bar_1m") == [(0,)]


def test_a_load_that_fails_leaves_what_was_there_and_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bars(minutes(5))
    load_bars(database, batch(content))
    monkeypatch.setattr(loading, "_UPSERT", loading._UPSERT.replace("INSERT INTO correction", "x"))
    with pytest.raises(DatabaseError, match="refused a statement"):
        load_bars(database, batch(bars(minutes(5), seed=1), hours=1))
    assert_same(read(database), content)
    assert [load.status for load in loads(database)] == ["loaded", "failed"]


@pytest.mark.parametrize("known", [True, False])
def test_a_load_that_is_broken_off_leaves_nothing_of_itself(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    content = bars(minutes(5))
    if known:
        load_bars(database, batch(content))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    other = batch(bars(minutes(5), seed=1), hours=1)
    with monkeypatch.context() as patch:
        patch.setattr("database.loads.complete", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_bars(database, other)
    assert_same(read(database), content if known else Bars.empty("AAPL"))
    assert corrections(database, "AAPL", Interval.MINUTE) == []
    assert loads(database)[-1].status == "failed"
    assert load_bars(database, batch(content, hours=2)).rows == 5
    assert_same(read(database), content)


def test_a_load_that_was_killed_is_noted_by_the_next(database: Database) -> None:
    content = batch(bars(minutes(5)))
    begin(database, content, None)
    begin(database, batch(bars(minutes(5), symbol="MSFT")), None)
    assert [load.status for load in loads(database)] == ["running", "running"]
    load_bars(database, content)
    assert [load.status for load in loads(database)] == ["interrupted", "running", "loaded"]


def test_no_bars_are_no_load(database: Database) -> None:
    assert load_bars(database, batch(Bars.empty("AAPL"))) == LoadResult(rows=0)
    assert loads(database) == []


def test_loads_at_once_of_one_and_of_many_symbols_lose_nothing(
    database: Database, database_url: str
) -> None:
    parts = [bars(minutes(300, minutes(600)[k * 200]), seed=k) for k in range(3)]
    others = [bars(minutes(100), symbol=name) for name in ("MSFT", "GOOG")]
    sent = [batch(part, hours) for hours, part in enumerate(parts)] + [batch(o) for o in others]
    failures: list[BaseException] = []

    def deliver(one: BarBatch) -> None:
        try:
            with open_database(database_url) as mine:
                load_bars(mine, one)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=deliver, args=(one,)) for one in sent]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    last = joined([parts[0][:200], parts[1][:200], parts[2]], "AAPL")
    assert_same(read(database), last)
    for other in others:
        assert_same(read(database, other.symbol), other)
