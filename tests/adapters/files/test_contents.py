"""Columns, rows and actions of files: understood, or refused in one sentence."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bokeh_sampledata import stocks
from hypothesis import given
from hypothesis import strategies as st

from adapters.market_data.files.source import FileSource
from adapters.market_data.protocol import SourceError
from storage.directory import open_directory
from tests.adapters.files.conftest import (
    END,
    HEAD,
    OPEN,
    STAMPS,
    START,
    VALUES,
    assert_the_three_minutes,
    lines,
    read,
    source_of,
    write,
)
from tests.s3 import SessionS3
from trading.bars.intervals import Interval
from trading.errors import DataError, ParameterError
from trading.instruments.actions import ActionKind


def day_file(head: str, row: str) -> str:
    return f"{head}\n2024-01-02,{row}\n"


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("date,open,high,low,close,adj_close,volume,note", "2,4,1,3,1.5,9,x"),
        ("Date,Open,High,Low,Close,Volume,Adj Close,Dividends", "2,4,1,3,9,1.5,oops"),
        ("date,adjOpen,adjHigh,adjLow,adjClose,open,high,low,close,volume", "1,2,.5,1.5,2,4,1,3,9"),
        (
            "date,open,high,low,close,volume,openunadj,high_raw,unadj_low,raw_close,raw_volume",
            "1,2,.5,1.5,18,2,4,1,3,9",
        ),
        ("date,raw_open,raw_high,raw_low,raw_close,volume", "2,4,1,3,9"),
        ("t,o,h,l,c,v", "2,4,1,3,9"),
        ("ticker,date,open,high,low,close,volume", None),
    ],
)
def test_raw_prices_are_taken_and_other_columns_left_alone(
    tmp_path: Path, head: str, row: str | None
) -> None:
    text = f"{head}\naapl,2024-01-02,2,4,1,3,9\n" if row is None else day_file(head, row)
    write(tmp_path, text)
    bars = read(tmp_path, Interval.DAY)
    got = (bars.open[0], bars.high[0], bars.low[0], bars.close[0], bars.volume[0])
    assert got == (2, 4, 1, 3, 9)
    assert np.isnan(bars.vwap).all()


def test_vwap_and_trades_are_taken_by_all_their_names(tmp_path: Path) -> None:
    for head in ("vwap,trades", "vw,n", "VWAP,transactions", "vw,trade_count"):
        write(tmp_path, day_file(f"date,open,high,low,close,volume,{head}", "2,4,1,3,9,2.5,7"))
        bars = read(tmp_path, Interval.DAY)
        assert (bars.vwap[0], bars.trades[0]) == (2.5, 7)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("date,open,high,low,close", "no column volume"),
        ("date,close,volume", "no column open and high and low"),
        ("date,adj_open,adj_high,adj_low,adj_close,volume", "only the adjusted adj_open"),
        ("date,open,high,low,close,volume,closeunadj", "but no such open"),
        ("date,open,high,low,close,Close,volume", "two columns 'close' and 'Close'"),
        ("date,open,high,low,close,c,volume", "2 columns of close"),
        ("date,timestamp,open,high,low,close,volume", "2 columns of times"),
        ("day,open,high,low,close,volume", "no column of times"),
        ("2024-01-02,2,4,1,3,9", "no column of times"),
    ],
)
def test_columns_that_cannot_be_told_are_refused(tmp_path: Path, head: str, words: str) -> None:
    write(tmp_path, day_file(head, ",".join(["2"] * head.count(","))))
    with pytest.raises(DataError, match=words):
        read(tmp_path, Interval.DAY)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"  \n", "it is empty"),
        (f"{HEAD}\n2024-01-02,2,4,1\n".encode(), "no CSV of numbers"),
        (f"{HEAD}\n2024-01-02,2,4,1,three,9\n".encode(), "no CSV of numbers .*three"),
        (f'{HEAD}\n2024-01-02,"1,234",4,1,3,9\n'.encode(), "no CSV of numbers"),
        (f"{HEAD}\n".encode("utf-16"), "not UTF-8 text|no column of times"),
        (
            gzip.compress(f"{HEAD}\n2024-01-02,2,4,1,3,9\n".encode(), mtime=0)[:-12],
            "not a complete gzip file",
        ),
        (b"\x1f\x8bnonsense", "not a complete gzip file"),
    ],
    ids=["empty", "blank", "short row", "word", "thousands", "utf-16", "cut gzip", "no gzip"],
)
def test_broken_files_are_refused_in_one_sentence(
    tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "AAPL.csv").write_bytes(content)
    with pytest.raises(DataError, match=words) as raised:
        read(tmp_path, Interval.DAY)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_files_are_found_compressed_or_not_however_their_names_are_written(tmp_path: Path) -> None:
    text = lines([s.isoformat() for s in STAMPS]).encode()
    (tmp_path / "aapl.CSV.gz").write_bytes(gzip.compress(text))
    (tmp_path / "brk.b.csv").write_bytes(gzip.compress(text))
    assert_the_three_minutes(read(tmp_path))
    source = source_of(tmp_path)
    assert_the_three_minutes(source.bars("BRK-B", Interval.MINUTE, START, END).bars)
    assert [i.symbol for i in source.instruments()] == ["AAPL", "BRK-B"]
    assert [i.symbol for i in source.instruments(["BRK-B", "NOSUCH"])] == ["BRK-B"]
    write(tmp_path, "", "AAPL.csv")
    with pytest.raises(DataError, match="are of the same symbol"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["aware", "naive", "number", "text", "category"])
def test_parquet_is_understood(tmp_path: Path, kind: str) -> None:
    utc = pa.array([s.replace(tzinfo=None) for s in STAMPS], pa.timestamp("ms"))
    times = {
        "aware": utc.cast(pa.timestamp("us", "America/New_York")),
        "naive": utc,
        "number": pa.array([int(s.timestamp()) for s in STAMPS]),
        "text": pa.array([s.isoformat() for s in STAMPS]),
        "category": pa.array([s.isoformat() for s in STAMPS]).dictionary_encode(),
    }[kind]
    values = np.array([[float(x) for x in row.split(",")] for row in VALUES]).T
    columns = dict(zip(("open", "high", "low", "close", "volume"), values, strict=True))
    table = pa.table({"time": times, **columns, "note": pa.array([["nested"]] * 3)})
    pq.write_table(table, tmp_path / "AAPL.parquet")
    assert_the_three_minutes(read(tmp_path, timezone="UTC" if kind == "naive" else None))
    (tmp_path / "AAPL.parquet").write_bytes((tmp_path / "AAPL.parquet").read_bytes()[:-20])
    with pytest.raises(DataError, match="not a Parquet file"):
        read(tmp_path)


def test_rows_of_another_symbol_are_refused(tmp_path: Path) -> None:
    write(
        tmp_path,
        "symbol,date,open,high,low,close,volume\nAAPL,2024-01-02,2,4,1,3,9\n"
        "MSFT,2024-01-02,2,4,1,3,9\n",
    )
    with pytest.raises(DataError, match="rows of 'MSFT', not of AAPL alone"):
        read(tmp_path, Interval.DAY)


def test_rows_without_prices_are_no_bars_and_a_missing_one_is_kept_missing(tmp_path: Path) -> None:
    write(tmp_path, f"{HEAD}\n2024-01-02,null,null,null,null,null\n2024-01-03,2,,1,3,9\n")
    bars = read(tmp_path, Interval.DAY)
    assert len(bars) == 1
    assert np.isnan(bars.high[0])


def test_a_symbol_without_a_file_and_a_folder_without_files_are_refused(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    with pytest.raises(SourceError, match=r"AAPL: there is no AAPL.csv or .parquet in "):
        source.bars("AAPL", Interval.DAY, START, END)
    with pytest.raises(ParameterError, match=r"^from=.* is not a folder of files named like"):
        source.check_access()
    write(tmp_path, "", "_actions.csv")
    with pytest.raises(ParameterError):
        source_of(tmp_path).check_access()
    write(tmp_path, "")
    source_of(tmp_path).check_access()


@given(st.data())
def test_order_and_repetition_of_rows_change_nothing(data: st.DataObject) -> None:
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - a fixture would be shared

    count = data.draw(st.integers(1, 12))
    order = data.draw(st.permutations(range(count)))
    repeated = data.draw(st.lists(st.integers(0, count - 1), max_size=4))
    texts = [
        f"{(OPEN + timedelta(minutes=i)).isoformat()},{i + 1},{i + 2},{i + 1},{i + 1},5"
        for i in range(count)
    ]
    stale = [f"{texts[i].partition(',')[0]},9,9,9,9,9" for i in repeated]
    with TemporaryDirectory() as folder:
        write(Path(folder), "\n".join([HEAD, *stale, *(texts[i] for i in order), ""]))
        delivery = source_of(Path(folder)).bars("AAPL", Interval.MINUTE, START, END)
    assert delivery.bars.open.tolist() == [i + 1 for i in range(count)]
    assert (np.diff(delivery.bars.timestamps) == np.timedelta64(1, "m")).all()
    assert delivery.repeated == len(repeated)


def test_a_range_is_cut_from_the_file_which_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, lines([s.isoformat() for s in STAMPS]))
    source = source_of(tmp_path)
    parts = [source.bars("AAPL", Interval.MINUTE, s, s + timedelta(minutes=1)).bars for s in STAMPS]
    (tmp_path / "AAPL.csv").unlink()
    again = source.bars("AAPL", Interval.MINUTE, STAMPS[1], STAMPS[2]).bars
    assert [len(part) for part in parts] == [1, 1, 1]
    assert [part.open[0] for part in (*parts, again)] == [1, 2, 3, 2]


def test_actions_come_from_their_table_alone(tmp_path: Path) -> None:
    write(
        tmp_path,
        "symbol,ex_date,kind,value,known_at\n"
        "MSFT,2003-02-18,split,2,\nMSFT,2004-11-15,dividend,3.0,2004-07-20T16:05:00-04:00\n"
        "AAPL,2000-06-21,split,2,\n",
        "_actions.csv",
    )
    source = source_of(tmp_path)
    actions = source.actions("MSFT", date(2000, 1, 1), date(2013, 1, 1))
    assert [(a.kind, a.ex_date, a.value) for a in actions] == [
        (ActionKind.SPLIT, date(2003, 2, 18), 2.0),
        (ActionKind.DIVIDEND, date(2004, 11, 15), 3.0),
    ]
    assert actions[1].known_at == datetime(2004, 7, 20, 20, 5, tzinfo=UTC)
    assert source.actions("IBM", date(2000, 1, 1), date(2013, 1, 1)) == ()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SourceError, match="there is no _actions"):
        source_of(empty).actions("MSFT", date(2000, 1, 1), date(2013, 1, 1))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("MSFT,2003-02-18,merger,2", "row 1 .*merger"),
        ("MSFT,2003-02-18,split,0", "row 1 .*its value is 0.0"),
        ("MSFT,18.02.2003,split,2", "row 1"),
        ("msft,2003-02-18,split,2", "row 1"),
        ("MSFT,2003-02-18,split,", "row 1"),
        ("MSFT,2003-02-18,split,two", "no CSV of numbers"),
    ],
)
def test_actions_that_make_no_sense_are_refused(tmp_path: Path, row: str, words: str) -> None:
    write(tmp_path, f"symbol,ex_date,kind,value\n{row}\n", "_actions.csv")
    with pytest.raises(DataError, match=words):
        source_of(tmp_path).actions("MSFT", date(2000, 1, 1), date(2013, 1, 1))


def test_a_vendors_daily_history_comes_as_it_was_traded(tmp_path: Path) -> None:
    data = stocks.AAPL
    columns = ("date", "open", "high", "low", "close", "volume", "adj_close")
    rows = zip(*(data[name] for name in columns), strict=True)  # type: ignore[literal-required]
    write(tmp_path, "\n".join([",".join(columns), *(",".join(map(str, r)) for r in rows), ""]))
    bars = read(tmp_path, Interval.DAY)
    assert len(bars) == len(data["date"])
    assert bars.close.tolist() == data["close"]
    assert bars.volume.tolist() == data["volume"]
    fall = bars.timestamps == np.datetime64("2000-09-29T04:00")
    assert bars.close[fall] == 25.75


def test_files_are_read_from_s3(s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    folder = open_directory(f"{s3_server.new_bucket()}/vendor", "from")
    text = lines([s.isoformat() for s in STAMPS]).encode()
    folder.write_bytes("AAPL.csv.gz", gzip.compress(text))
    source = FileSource(folder)
    source.check_access()
    assert_the_three_minutes(source.bars("AAPL", Interval.MINUTE, START, END).bars)


def test_a_file_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.market_data.files.tables.MAX_BYTES", 1_000)
    text = lines([s.isoformat() for s in STAMPS]) + " " * 100_000
    (tmp_path / "AAPL.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert os.path.getsize(tmp_path / "AAPL.csv.gz") < 1_000  # noqa: PTH202
    with pytest.raises(DataError, match="unpacked it is larger"):
        read(tmp_path)
