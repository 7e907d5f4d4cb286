"""The three files are replaced together or not at all, whatever fails meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.market_data.synthetic import SyntheticSource
from adapters.market_data.yahoo import YahooSource
from lake.market.ingestion import ingest
from lake.market.ingestion.place import interval_of
from lake.market.inputs import PRICES_FILE, MarketData, open_market_data
from lake.market.manifest import MANIFEST
from lake.market.validation import validate
from storage.directory import Directory
from storage.errors import LocationError, StorageError
from tests.adapters.yahoo_server import NEW_YORK, YahooServer
from tests.lake.market.ingestion.conftest import FILES, SATURDAY, WEEK, Ingestion, expected
from tests.markets import random_market, session_timestamps
from trading.errors import ParameterError


def test_data_of_another_origin_are_replaced_and_a_copy_is_kept(run: Ingestion) -> None:
    run(WEEK[0], WEEK[0])
    prices = Path(run.input_dir) / PRICES_FILE
    theirs = prices.read_bytes() + b"\n"
    prices.write_bytes(theirs)
    summary = run(WEEK[3], WEEK[4])
    assert MarketData(run.directory).rows == 14
    assert summary.kept_copy is not None
    assert (Path(summary.kept_copy) / PRICES_FILE).read_bytes() == theirs
    run(WEEK[0], WEEK[4])
    assert (Path(summary.kept_copy) / PRICES_FILE).read_bytes() == theirs


def test_data_of_two_sources_are_not_merged(run: Ingestion, tmp_path: Path) -> None:
    synthetic = ingest(SyntheticSource(), ["AAPL"], WEEK[0], WEEK[1], "1h", run.input_dir, SATURDAY)
    assert synthetic.symbols[0].rows == 14
    summary = run(WEEK[2], WEEK[3])
    assert summary.symbols[0].rows == 14
    assert summary.kept_copy is not None
    assert run.closes("AAPL") == expected(230.0, WEEK[2:4])


def test_a_failure_does_not_bring_back_what_the_user_removed(
    run: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(WEEK[0], WEEK[0])
    run(WEEK[0], WEEK[1])
    for name in FILES:
        (Path(run.input_dir) / name).unlink()
    write = Directory.write_bytes

    def failing_write(self: Directory, name: str, content: bytes | memoryview) -> None:
        if self.path == run.input_dir and name == PRICES_FILE:
            raise StorageError(name, "no space is left there", "free some")
        write(self, name, content)

    monkeypatch.setattr(Directory, "write_bytes", failing_write)
    with pytest.raises(StorageError, match="no space"):
        run()
    assert run.contents() == dict.fromkeys(FILES)


DAILY = [230.0, 231.0, 232.0, 233.0, 234.0]


def put_daily(server: YahooServer) -> None:
    """Daily bars of the week, as Yahoo has them: stamped with the open."""
    for symbol, price in {"AAPL": 230.0, "MSFT": 420.0, "^GSPC": 5_800.0, "^VIX": 19.0}.items():
        for offset, day in enumerate(WEEK):
            opened = datetime.combine(day, time(9, 30), NEW_YORK)
            server.put(symbol, {opened: price + offset}, "1d")


def test_two_intervals_do_not_mix(run: Ingestion, server: YahooServer) -> None:
    run(WEEK[0], WEEK[0])
    before = run.contents()
    put_daily(server)
    summary = run(interval="1d")
    assert (summary.interval_folder, summary.kept_copy) == ("1d", None)
    assert summary.input_dir == f"{run.input_dir}/1d"
    assert run.contents() == before
    daily = open_market_data(summary.input_dir)
    assert daily.prices.values("AAPL", 0, daily.rows).tolist() == DAILY

    again = run(WEEK[0], WEEK[1])
    assert (again.interval_folder, again.symbols[0].new) == (None, 7)
    assert run(interval="1d").files == (), "both go on where they were"
    assert open_market_data(summary.input_dir).rows == 5


def test_files_of_somebody_else_keep_their_interval_to_themselves(
    run: Ingestion, server: YahooServer
) -> None:
    theirs = random_market(session_timestamps(1), contracts=2)
    theirs.write(run.input_dir)
    before = run.contents()
    put_daily(server)
    assert run(interval="1d").interval_folder == "1d"
    assert run.contents() == before


def test_a_directory_without_bars_takes_any_interval(run: Ingestion, server: YahooServer) -> None:
    put_daily(server)
    summary = run(interval="1d")
    assert (summary.interval_folder, summary.input_dir) == (None, run.input_dir)
    assert run.closes("AAPL") == DAILY
    assert run(WEEK[0], WEEK[0]).interval_folder == "1h"
    assert run.closes("AAPL") == DAILY


def test_a_folder_called_like_an_interval_that_holds_another_is_refused(
    run: Ingestion, server: YahooServer
) -> None:
    run(WEEK[0], WEEK[0])
    random_market(session_timestamps(1), contracts=2).write(f"{run.input_dir}/1d")
    server.requests.clear()
    with pytest.raises(ParameterError, match=r"interval='1d' is not that of the bars in .*/1d"):
        run(interval="1d")
    assert not server.requests


@given(days=st.integers(2, 40), bars=st.integers(1, 7))
def test_an_interval_is_told_by_whether_a_date_has_two_bars(days: int, bars: int) -> None:
    stamps = session_timestamps(days).reshape(days, -1)[:, :bars].ravel()
    assert interval_of(stamps) == ("1d" if bars == 1 else "1h")


def undisturbed(run: Ingestion, last: date) -> dict[str, bytes | None]:
    """What the files hold after one ingestion from the first day on that nothing disturbed."""
    elsewhere = Ingestion(run.source, f"{run.input_dir}-undisturbed")
    elsewhere(WEEK[0], last)
    return elsewhere.contents()


@pytest.mark.parametrize("first_time", [True, False])
@pytest.mark.parametrize("failing", range(9))
def test_a_failed_write_leaves_the_previous_set(
    synthetic: Ingestion, monkeypatch: pytest.MonkeyPatch, *, failing: int, first_time: bool
) -> None:
    if not first_time:
        synthetic(WEEK[0], WEEK[1])
    before = synthetic.contents()
    writes = 0
    write = Directory.write_bytes

    def failing_write(self: Directory, name: str, content: bytes | memoryview) -> None:
        nonlocal writes
        if Path(synthetic.input_dir) in (Path(self.path), *Path(self.path).parents):
            writes += not name.startswith(".probe")
            if writes == failing + 1 and not name.startswith(".probe"):
                raise StorageError(name, "no space is left there", "free some")
        write(self, name, content)

    monkeypatch.setattr(Directory, "write_bytes", failing_write)
    if failing >= (5 if first_time else 9):
        synthetic()  # so many writes there are not
    else:
        with pytest.raises(StorageError, match="no space"):
            synthetic()
        assert synthetic.contents() == before
    monkeypatch.undo()
    assert not synthetic().failed
    assert synthetic.contents() == undisturbed(synthetic, WEEK[4])


def kill_at(monkeypatch: pytest.MonkeyPatch, run: Ingestion, killed_at: int) -> None:
    """Have the next ingestion killed at its write of this number; four writes are of copies."""
    writes = 0
    write = Directory.write_bytes

    def killed(self: Directory, name: str, content: bytes | memoryview) -> None:
        nonlocal writes
        if self.path == run.input_dir and not name.startswith(".probe"):
            writes += 1
            if writes > killed_at:
                raise KeyboardInterrupt
        write(self, name, content)

    monkeypatch.setattr(Directory, "write_bytes", killed)


@pytest.mark.parametrize("killed_at", range(4, 9))
def test_a_killed_run_is_undone_by_the_next(
    synthetic: Ingestion, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    synthetic(WEEK[0], WEEK[1])
    kill_at(monkeypatch, synthetic, killed_at)
    with pytest.raises(KeyboardInterrupt):
        synthetic()
    monkeypatch.undo()
    summary = synthetic(WEEK[0], WEEK[3])
    assert summary.kept_copy is None  # it is still known as what an ingestion wrote
    assert summary.symbols[0].new == 14
    assert synthetic.contents() == undisturbed(synthetic, WEEK[3])


def test_an_ingestion_in_between_is_noticed(
    run: Ingestion, server: YahooServer, source: YahooSource
) -> None:
    run(WEEK[0], WEEK[0])
    server.gates["MSFT"] = gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(run, WEEK[0], WEEK[1])
        run(WEEK[0], WEEK[2], symbols=["AAPL"])
        gate.set()
        with pytest.raises(StorageError, match="another ingestion") as raised:
            slow.result()
    assert raised.value.transient
    assert run.closes("AAPL") == expected(230.0, WEEK[:3])


def test_a_remote_directory_works_as_a_local_one(source: YahooSource) -> None:
    run = Ingestion(source, "memory://test-ingestion/input")
    try:
        run(WEEK[0], WEEK[1])
        run(WEEK[0], WEEK[4])
        assert run.closes("AAPL") == expected(230.0, WEEK)
    finally:
        run.directory.filesystem.rm("/test-ingestion", recursive=True)


def test_an_unwritable_directory_is_refused_before_any_request(
    source: YahooSource, server: YahooServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocationError, match="input_dir"):
        Ingestion(source, str(tmp_path / "file" / "input"))()
    assert not server.requests


def test_importing_ingestion_brings_neither_pandas_nor_a_source() -> None:
    code = "import sys, lake.market.ingestion; print({'yfinance', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("killed_at", range(5, 9))
def test_readers_are_refused_a_set_that_is_half_replaced(
    synthetic: Ingestion, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    synthetic(WEEK[0], WEEK[1])
    opened = open_market_data(synthetic.input_dir)
    kill_at(monkeypatch, synthetic, killed_at)
    with pytest.raises(KeyboardInterrupt):
        synthetic()
    with pytest.raises(StorageError, match="replacing the input files, or was killed"):
        validate(synthetic.input_dir)
    with pytest.raises(StorageError, match="replacing the input files, or was killed") as told:
        open_market_data(synthetic.input_dir)
    assert str(told.value).count("\n") == 0
    assert told.value.transient
    assert not opened.is_current()
    monkeypatch.undo()
    synthetic()
    assert open_market_data(synthetic.input_dir).rows == 35


@pytest.mark.parametrize(
    "theirs", [b"", b"[1]", b'{"state": "replacing"}', b"[" * 60_000, b" " * 70_000]
)
def test_a_manifest_of_somebody_else_keeps_nobody_from_reading(
    synthetic: Ingestion, theirs: bytes
) -> None:
    synthetic(WEEK[0], WEEK[0])
    (Path(synthetic.input_dir) / MANIFEST).write_bytes(theirs)
    assert MarketData(synthetic.directory).rows == 7
