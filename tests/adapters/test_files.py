"""The source of files: what vendors deliver is understood, or refused in one sentence."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

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
from tests.s3 import SessionS3
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.errors import DataError, ParameterError
from trading.instruments.actions import ActionKind
from trading.instruments.clock import NEW_YORK

START = datetime(2000, 1, 1, tzinfo=NEW_YORK)
END = datetime(2030, 1, 1, tzinfo=NEW_YORK)
HEAD = "timestamp,open,high,low,close,volume"
OPEN = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
STAMPS = [OPEN + timedelta(minutes=i) for i in range(3)]
VALUES = ["1,3,0.5,2,100", "2,4,1.5,3,200.5", "3,5,2.5,4,300"]


def source_of(folder: Path, timezone: str | None = None) -> FileSource:
    return FileSource(open_directory(str(folder), "from"), timezone=timezone)


def read(folder: Path, interval: Interval = Interval.MINUTE, timezone: str | None = None) -> Bars:
    return source_of(folder, timezone).bars("AAPL", interval, START, END).bars


def write(folder: Path, text: str, name: str = "AAPL.csv") -> None:
    (folder / name).write_text(text)


def lines(times: list[str], head: str = HEAD, separator: str = ",") -> str:
    rows = [f"{time},{values}" for time, values in zip(times, VALUES, strict=True)]
    return "\n".join([head, *rows, ""]).replace(",", separator)


def assert_the_three_minutes(bars: Bars) -> None:
    expected = [np.datetime64(stamp.replace(tzinfo=None), "ns") for stamp in STAMPS]
    assert bars.timestamps.tolist() == np.array(expected).tolist()
    assert bars.open.tolist() == [1, 2, 3]
    assert bars.high.tolist() == [3, 4, 5]
    assert bars.low.tolist() == [0.5, 1.5, 2.5]
    assert bars.close.tolist() == [2, 3, 4]
    assert bars.volume.tolist() == [100, 200.5, 300]


def epoch(factor: int) -> Callable[[datetime], str]:
    return lambda stamp: str(int(stamp.timestamp()) * factor)


@pytest.mark.parametrize(
    "write_time",
    [
        epoch(1),
        epoch(1_000),
        epoch(1_000_000),
        epoch(1_000_000_000),
        lambda stamp: stamp.isoformat(),
        lambda stamp: stamp.isoformat().replace("+00:00", "Z"),
        lambda stamp: stamp.astimezone(NEW_YORK).isoformat(),
        lambda stamp: stamp.astimezone(ZoneInfo("Asia/Tokyo")).isoformat(" "),
        lambda stamp: stamp.strftime(" %Y-%m-%d %H:%M:%S.000+0000 "),
    ],
)
@pytest.mark.parametrize("column", ["timestamp", "Date", "t", "TS", "window_start", "Date Time"])
def test_times_are_understood_whatever_they_are_called_and_written_in(
    tmp_path: Path, write_time: Callable[[datetime], str], column: str
) -> None:
    write(tmp_path, lines([write_time(s) for s in STAMPS], HEAD.replace("timestamp", column)))
    assert_the_three_minutes(read(tmp_path))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_and_byte_order_marks_are_understood(
    tmp_path: Path, separator: str, mark: str
) -> None:
    write(tmp_path, mark + lines([s.isoformat() for s in STAMPS], separator=separator))
    assert_the_three_minutes(read(tmp_path))


def test_times_without_a_zone_need_a_named_one(tmp_path: Path) -> None:
    local = [s.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M") for s in STAMPS]
    write(tmp_path, lines(local))
    with pytest.raises(ParameterError) as raised:
        read(tmp_path)
    assert raised.value.parameter == "timezone"
    assert "AAPL.csv name none; pass the one in which they are" in str(raised.value)
    assert_the_three_minutes(read(tmp_path, timezone="America/New_York"))
    later = read(tmp_path, timezone="America/Chicago").timestamps[0]
    assert later == np.datetime64("2024-07-01T14:30")


def test_a_zone_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="timezone='Mars/Base' is not a time zone's name"):
        source_of(tmp_path, "Mars/Base")


def test_date_and_time_may_stand_apart(tmp_path: Path) -> None:
    local = [s.astimezone(NEW_YORK).strftime("%Y-%m-%d,%H:%M:%S") for s in STAMPS]
    write(tmp_path, lines(local, HEAD.replace("timestamp", "date,time")))
    assert_the_three_minutes(read(tmp_path, timezone="America/New_York"))


@pytest.mark.parametrize("local", ["2024-11-03 01:30", "2024-03-10 02:30"])
def test_times_that_occur_twice_or_never_are_refused(tmp_path: Path, local: str) -> None:
    write(tmp_path, f"{HEAD}\n{local},{VALUES[0]}\n")
    with pytest.raises(DataError, match="the clocks of America/New_York change"):
        read(tmp_path, timezone="America/New_York")


@pytest.mark.parametrize("day", [date(2024, 3, 8), date(2024, 3, 11), date(2024, 11, 4)])
def test_local_times_follow_the_change_of_the_clock(tmp_path: Path, day: date) -> None:
    write(tmp_path, f"{HEAD}\n{day.isoformat()}T09:30,{VALUES[0]}\n")
    (stamp,) = read(tmp_path, timezone="America/New_York").timestamps
    expected = datetime(day.year, day.month, day.day, 9, 30, tzinfo=NEW_YORK).astimezone(UTC)
    assert stamp == np.datetime64(expected.replace(tzinfo=None))


@pytest.mark.parametrize(
    "write_day",
    [
        lambda day: day.isoformat(),
        lambda day: day.strftime("%Y/%m/%d"),
        lambda day: day.strftime("%Y%m%d"),
        lambda day: f"{day.isoformat()} 00:00:00",
        lambda day: f"{day.isoformat()}T00:00:00Z",
        lambda day: f"{day.isoformat()}T00:00:00-05:00",
        lambda day: f"{day.isoformat()}T09:30:00-05:00",
        lambda day: str(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())),
    ],
)
def test_days_begin_at_midnight_in_new_york(
    tmp_path: Path, write_day: Callable[[date], str]
) -> None:
    days = [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]
    write(tmp_path, lines([write_day(day) for day in days]))
    stamps = read(tmp_path, Interval.DAY).timestamps
    assert [str(s)[:16] for s in stamps] == [f"{day.isoformat()}T05:00" for day in days]


def test_an_old_history_in_milliseconds_has_negative_times(tmp_path: Path) -> None:
    days = [date(1962, 1, 2), date(1970, 1, 2), date(2024, 1, 4)]
    midnights = [datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp() for d in days]
    write(tmp_path, lines([str(int(seconds) * 1000) for seconds in midnights]))
    early = datetime(1950, 1, 1, tzinfo=NEW_YORK)
    stamps = source_of(tmp_path).bars("AAPL", Interval.DAY, early, END).bars.timestamps
    assert [str(s)[:10] for s in stamps] == [day.isoformat() for day in days]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (["01/02/2024", "01/03/2024", "01/04/2024"], "'01/02/2024' can be read in more than one"),
        (["2024-01-02", "2024-01-03T09:30", "2024-01-04"], "written in different ways"),
        (["1704153600", "1704153660000", "1704153720000"], "of different units"),
        (["2024-01-02T09:30:00Z", "", "2024-01-02T09:32:00Z"], "a row has no time"),
        (["2024-02-30T09:30:00Z"] * 3, "does not exist"),
        (["2024-01-02", "2024-01-03", "2024-01-04"], "it has dates, no times"),
        (["2024-01-02T09:30:30Z"] * 3, "not all on the full minute"),
        (["2024-01-02T09:30:00Z", "2024-01-02T09:30:30Z", "2024-01-02T09:31:00Z"], "full minute"),
        (["1704153600.5"] * 3, "can be read in more than one way, or in none"),
    ],
)
def test_times_that_cannot_be_told_are_refused(
    tmp_path: Path, times: list[str], words: str
) -> None:
    write(tmp_path, lines(times))
    with pytest.raises(DataError, match=words) as raised:
        read(tmp_path)
    assert str(raised.value).startswith(str(tmp_path / "AAPL.csv"))
    assert "\n" not in str(raised.value)


def rows(stamps: list[str]) -> str:
    return "\n".join([HEAD, *(f"{stamp},{VALUES[0]}" for stamp in stamps), ""])


def test_a_file_of_another_interval_is_refused(tmp_path: Path) -> None:
    five = [(OPEN + timedelta(minutes=5 * i)).isoformat() for i in range(12)]
    write(tmp_path, rows(five))
    with pytest.raises(DataError, match="5 minutes apart, and 1m bars were asked for"):
        read(tmp_path)
    with pytest.raises(DataError, match="5 minutes apart, and 1h bars were asked for"):
        read(tmp_path, Interval.HOUR)
    with pytest.raises(DataError, match="several bars a day"):
        read(tmp_path, Interval.DAY)
    with pytest.raises(SourceError, match="files has no 5m bars"):
        read(tmp_path, Interval.MINUTES_5)
    write(tmp_path, rows([(OPEN + timedelta(hours=i)).isoformat() for i in range(12)]))
    assert len(read(tmp_path, Interval.HOUR)) == 12


def test_days_at_different_midnights_are_refused(tmp_path: Path) -> None:
    write(tmp_path, rows(["2024-01-02T00:00:00Z", "2024-01-03T05:00:00Z"]))
    with pytest.raises(DataError, match="some of its days begin at midnight UTC"):
        read(tmp_path, Interval.DAY)


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
