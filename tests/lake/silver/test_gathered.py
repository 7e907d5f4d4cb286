"""Bars gathered by year: whatever happened to the files, what is read is what the files say."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import fingerprint_index
from lake.compaction.compacting import compact
from lake.files import FileLineage
from lake.gold import history
from lake.gold.history import minute_beginnings, minute_pieces, read_minutes
from lake.listing import files_in
from lake.silver import gathered
from lake.silver.table import SILVER, read_bars, write_bars
from storage.backends import SETTLING_SECONDS, LocalStore
from storage.directory import Directory, open_directory
from trading.bars.intervals import MINUTE_INTERVALS, Interval
from trading.bars.model import VALUES, Bars
from trading.bars.resampling.model import ResampledBars
from trading.instruments.calendar import sessions

FIVE = Interval.MINUTES_5
FOLDER = "silver/AAPL"
DAYS = sessions(date(2023, 12, 26), date(2024, 1, 5)).dates.tolist()
"""Four sessions of one year, and four of the next."""


@pytest.fixture(autouse=True)
def _kept_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few and new the files are, what was read of them is kept."""
    monkeypatch.setattr(gathered, "WORTHWHILE", 1)
    monkeypatch.setattr(fingerprint_index, "WORTHWHILE_ON_DISK", 1)
    monkeypatch.setattr(LocalStore, "is_settled", lambda *_: True)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of silver whose rows were read since."""
    names: list[str] = []

    def noted(directory: Directory, name: str, *more: Any) -> tuple[ResampledBars, str]:
        names.append(name)
        return read_bars(directory, name, *more)

    monkeypatch.setattr(gathered, "read_bars", noted)
    return names


def name_of(day: date) -> str:
    return f"{FOLDER}/{day:%Y%m%d}.parquet"


def write_session(lake: Directory, day: date, number: int, count: int = 2) -> None:
    """A session of a few bars of each interval; its values and fingerprint say the number."""
    opens = sessions(day, day).opens
    stamps = opens[0] + np.arange(count) * np.timedelta64(5, "m")
    values = {name: np.full(count, float(number)) for name in VALUES}
    values["vwap"] = np.where(np.arange(count) == 1, np.nan, number)
    bars = ResampledBars(
        bars=Bars(symbol="AAPL", timestamps=stamps.astype("datetime64[ns]"), **values),
        available_at=(stamps + np.timedelta64(5, "m")).astype("datetime64[ns]"),
        expected=np.full(count, 5),
        present=np.full(count, number % 6),
    )
    lineage = FileLineage(SILVER, "AAPL", f"{number:032x}", "")
    write_bars(lake, name_of(day), dict.fromkeys(MINUTE_INTERVALS, bars), lineage)


def plainly(lake: Directory, as_of: datetime | None) -> tuple[Any, ...]:
    """The history as a loop over the files says it, and what it is made of."""
    over = history._last_over(as_of)
    names = minute_pieces(files_in(lake, FOLDER), over).values()
    parts = [read_bars(lake, f"{FOLDER}/{name}", SILVER, "AAPL", FIVE) for name in names]
    stamps = [bars.bars.timestamps for bars, _ in parts]
    closes = [bars.bars.close for bars, _ in parts]
    vwaps = [bars.bars.vwap for bars, _ in parts]
    ends = [bars.available_at for bars, _ in parts]
    joined = [np.concatenate(arrays).tobytes() if arrays else b"" for arrays in
              (stamps, closes, vwaps, ends)]  # fmt: skip
    texts = [
        f"{name.removesuffix('.parquet')} {fingerprint}"
        for name, (_, fingerprint) in zip(names, parts, strict=True)
    ]
    return (*joined, tuple(history.running_digests(texts)))


def kept(lake: Directory, as_of: datetime | None) -> tuple[Any, ...]:
    """The same by what was kept, and by the plan, which must agree."""
    found = read_minutes(lake, "AAPL", FIVE, as_of)
    assert minute_beginnings(lake, "AAPL", as_of) == found.beginnings
    bars = found.bars
    joined = [array.tobytes() for array in
              (bars.timestamps, bars.close, bars.vwap, found.available_at)]  # fmt: skip
    return (*joined, found.beginnings.digests)


def is_over(day: date) -> datetime:
    """The evening of a session."""
    return datetime(day.year, day.month, day.day, 23, tzinfo=UTC)


STEPS = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 7), st.integers(1, 3)),
    st.tuples(st.just("remove"), st.integers(0, 7), st.just(0)),
    st.tuples(st.just("months"), st.integers(1, 28), st.just(0)),
    st.tuples(st.just("damage"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("restore"), st.integers(0, 3), st.just(0)),
)


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, min_size=1, max_size=12), data=st.data())
def test_after_any_history_it_is_what_the_files_say(
    steps: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    """Sessions come, are restated, taken away, put into months; what is kept is broken or old."""
    with tempfile.TemporaryDirectory() as folder:
        lake = open_directory(folder, "lake_dir")
        write_session(lake, DAYS[3], 1)
        old: dict[Path, bytes] = {}
        for number, (step, which, count) in enumerate(steps, 2):
            hidden = sorted((Path(folder) / FOLDER).glob(".*"))
            if step == "write":
                write_session(lake, DAYS[which], number, count)
            elif step == "remove":
                (Path(folder) / name_of(DAYS[which])).unlink(missing_ok=True)
            elif step == "months":
                compact(lake, datetime(2024, 3, which, tzinfo=UTC), grace=timedelta(0))
            elif step == "damage" and hidden:
                chosen = hidden[which % len(hidden)]
                old[chosen] = chosen.read_bytes()
                chosen.write_bytes(old[chosen][: -which * 3])
            elif step == "restore" and old:
                chosen = sorted(old)[which % len(old)]
                chosen.write_bytes(old[chosen])
            as_of = data.draw(st.sampled_from([None, None, *map(is_over, DAYS)]))
            assert kept(lake, as_of) == plainly(lake, as_of)
            assert kept(lake, as_of) == plainly(lake, as_of), "from what is kept now"


def test_only_what_changed_is_read(tmp_path: Path, read: list[str]) -> None:
    """A new piece is kept, and one that changes in the middle drops none of those after it."""
    lake = open_directory(str(tmp_path), "lake_dir")
    for number, day in enumerate(DAYS):
        write_session(lake, day, number)
    first = kept(lake, None)
    assert read == [name_of(day) for day in DAYS]
    read.clear()
    assert kept(lake, None) == first
    assert read == []
    write_session(lake, DAYS[1], 100)
    restated = kept(lake, None)
    assert read == [name_of(DAYS[1])]
    assert restated[-1][0] == first[-1][0]
    assert not set(restated[-1][1:]) & set(first[-1]), "it and all that follow are others"
    read.clear()
    assert kept(lake, is_over(DAYS[4]))[-1] == restated[-1][:5]
    assert kept(lake, None) == restated
    assert read == []
    read_minutes(lake, "AAPL", Interval.MINUTES_13, None)
    assert len(read) == len(DAYS), "another interval is kept for itself"
    assert list(lake.list_files(FOLDER)) == [name_of(day).rpartition("/")[2] for day in DAYS]


def test_what_has_just_been_written_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may change without a change of its time, by a clock that is coarse."""
    monkeypatch.undo()
    monkeypatch.setattr(gathered, "WORTHWHILE", 1)
    lake = open_directory(str(tmp_path), "lake_dir")
    for number, day in enumerate(DAYS[:2]):
        write_session(lake, day, number)
    before = time.time() - SETTLING_SECONDS - 1
    os.utime(tmp_path / name_of(DAYS[0]), (before, before))
    soon = time.time() + 3600  # however slow this test is
    os.utime(tmp_path / name_of(DAYS[1]), (soon, soon))
    settled = [lake.is_settled(identity) for identity in files_in(lake, FOLDER).values()]
    assert settled == [True, False]
    kept(lake, None)
    gathered_file = tmp_path / FOLDER / ".5m-2023.gathered"
    assert name_of(DAYS[0]).encode() in gathered_file.read_bytes()
    assert name_of(DAYS[1]).encode() not in gathered_file.read_bytes()


def test_a_lake_that_may_not_be_written_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_directory(str(tmp_path), "lake_dir")
    for number, day in enumerate(DAYS):
        write_session(lake, day, number)

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalStore, "write", refused)
    assert kept(lake, None) == plainly(lake, None)
    assert not list((tmp_path / FOLDER).glob(".*"))
