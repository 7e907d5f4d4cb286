"""Ingestion from end to end: yfinance against a local server, into real files."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stamina
import yfinance as yf

from tests.trading.yahoo_server import (
    NEW_YORK,
    Answer,
    LocalSession,
    YahooServer,
    not_found,
    stock_day,
    too_many_requests,
    vix_day,
)
from trading.errors import ParameterError, StorageError
from trading.ingestion import IngestionError, IngestionSummary, SymbolStatus, ingest
from trading.market_data import PRICES_FILE, SPX_FILE, VIX_FILE, MarketData
from trading.parameters import StrategyParameters
from trading.sources.synthetic import SyntheticSource
from trading.sources.yahoo import YahooSource
from trading.storage import Directory, open_directory

WEEK = [date(2024, 10, day) for day in (14, 15, 16, 17, 18)]
SATURDAY = datetime(2024, 10, 19, 12, tzinfo=NEW_YORK)
FILES = (PRICES_FILE, VIX_FILE, SPX_FILE)


@pytest.fixture(scope="module", autouse=True)
def _yfinance_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    yf.set_tz_cache_location(str(tmp_path_factory.mktemp("yfinance")))


@pytest.fixture(autouse=True)
def _retries_without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=5):
        yield


@pytest.fixture
def server() -> Iterator[YahooServer]:
    with YahooServer().running() as running:
        for offset, day in enumerate(WEEK):
            running.put("AAPL", stock_day(day, 230.0 + offset))
            running.put("MSFT", stock_day(day, 420.0 + offset))
            running.put("^GSPC", stock_day(day, 5_800.0 + offset))
            running.put("^VIX", vix_day(day, 19.0 + offset))
        yield running


@pytest.fixture
def source(server: YahooServer) -> YahooSource:
    return YahooSource(LocalSession(server.port))


class Ingestion:
    """`ingest` into one directory, with defaults for the tests."""

    def __init__(self, source: YahooSource, input_dir: str) -> None:
        self.source, self.input_dir = source, input_dir

    def __call__(
        self, start: date | None = WEEK[0], end: date | None = WEEK[-1], **other: Any
    ) -> IngestionSummary:
        options = {"symbols": ["AAPL", "MSFT"], "interval": "1h", "now": SATURDAY, **other}
        return ingest(self.source, start=start, end=end, input_dir=self.input_dir, **options)

    @property
    def directory(self) -> Directory:
        return open_directory(self.input_dir, "input_dir")

    def contents(self) -> dict[str, bytes | None]:
        directory = self.directory
        return {
            name: directory.read_bytes(name) if directory.identity(name) else None for name in FILES
        }

    def closes(self, contract: str) -> list[float]:
        data = MarketData(self.directory)
        closes: list[float] = data.prices.values(contract, 0, data.rows).tolist()
        return closes


@pytest.fixture
def run(source: YahooSource, tmp_path: Path) -> Ingestion:
    return Ingestion(source, str(tmp_path / "input"))


def expected(price: float, days: list[date]) -> list[float]:
    return [
        float(close)
        for day in days
        for close in stock_day(day, price + WEEK.index(day)).values()
        if close is not None
    ]


def test_the_dates_are_inclusive_and_the_files_are_what_the_pipeline_reads(
    run: Ingestion,
) -> None:
    summary = run(WEEK[1], WEEK[4], symbols=["MSFT", "AAPL"])
    data = MarketData(run.directory)
    assert data.contracts == ("MSFT", "AAPL")
    assert data.rows == 28
    assert data.timestamps()[0] == np.datetime64("2024-10-15T13:30")
    assert data.timestamps()[-1] == np.datetime64("2024-10-18T19:30")
    assert run.closes("AAPL") == expected(230.0, WEEK[1:])
    assert (summary.first_session, summary.last_session) == (WEEK[1], WEEK[4])
    assert summary.contracts == ["MSFT", "AAPL"]
    assert [s.rows for s in summary.symbols] == [28, 28]
    assert [s.new for s in summary.symbols] == [28, 28]
    assert summary.symbols[0].first == datetime(2024, 10, 15, 9, 30, tzinfo=NEW_YORK)
    assert summary.symbols[0].last == datetime(2024, 10, 18, 15, 30, tzinfo=NEW_YORK)
    assert (summary.vix.rows, summary.spx.rows) == (52, 28)
    assert {Path(url).name for url in summary.files} == set(FILES)
    assert summary.kept_copy is None


def test_spx_and_vix_are_joined_without_looking_ahead(run: Ingestion) -> None:
    run(WEEK[0], WEEK[0])
    data = MarketData(run.directory)
    bars = data.bars("AAPL", 0, 7, StrategyParameters())
    assert bars.spx.tolist() == expected(5_800.0, [WEEK[0]])
    # 9:30 to 14:30 see the bar that began at :15; 15:30, which ends at 16:00, must not see the
    # one from 15:15 to 16:15.
    in_hours = [19.06, 19.07, 19.08, 19.09, 19.10, 19.11]
    assert bars.vix.tolist() == [*in_hours, 19.11]
    next_day = run(WEEK[0], WEEK[1])
    assert next_day.vix.new == 13
    data = MarketData(run.directory)
    known = data.vix.values("VIX", 0, data.vix.rows)
    assert data.vix.timestamps(0, data.vix.rows)[12] == np.datetime64("2024-10-14T20:00")
    assert known[12] == 19.12


def test_without_dates_the_last_five_complete_sessions_are_taken(run: Ingestion) -> None:
    summary = run(None, None)
    assert (summary.first_session, summary.last_session) == (WEEK[0], WEEK[4])
    assert MarketData(run.directory).rows == 35


def test_an_unfinished_session_is_not_among_the_defaults(
    run: Ingestion, server: YahooServer
) -> None:
    friday_noon = datetime(2024, 10, 18, 12, tzinfo=NEW_YORK)
    server.put("AAPL", stock_day(date(2024, 10, 11), 229.0))
    summary = run(None, None, now=friday_noon)
    assert (summary.first_session, summary.last_session) == (date(2024, 10, 11), WEEK[3])


def test_only_complete_bars_are_taken_and_the_rest_comes_later(
    run: Ingestion, server: YahooServer
) -> None:
    friday = WEEK[4]
    final = stock_day(friday, 234.0)
    running = dict(list(final.items())[:5])
    running[datetime(2024, 10, 18, 13, 30, tzinfo=NEW_YORK)] = 1.0  # the bar of this hour
    running[datetime(2024, 10, 18, 14, 5, 12, tzinfo=NEW_YORK)] = 2.0  # the last trade
    server.closes["AAPL", "1h"] = {**stock_day(WEEK[3], 233.0), **running}
    now = datetime(2024, 10, 18, 14, 10, tzinfo=NEW_YORK)
    first = run(WEEK[3], friday, now=now)
    assert run.closes("AAPL")[:11] == expected(230.0, WEEK[3:])[:11]
    assert first.symbols[0].last == datetime(2024, 10, 18, 12, 30, tzinfo=NEW_YORK)
    server.closes["AAPL", "1h"] = {**stock_day(WEEK[3], 233.0), **final}
    second = run(WEEK[3], friday)
    assert (second.symbols[0].new, second.symbols[0].restated) == (3, 0)
    assert run.closes("AAPL") == expected(230.0, WEEK[3:])


def test_bars_outside_regular_hours_are_left_out(run: Ingestion, server: YahooServer) -> None:
    for hour in (8, 16, 17):
        server.put("AAPL", {datetime(2024, 10, 14, hour, 30, tzinfo=NEW_YORK): 1.0})
    run(WEEK[0], WEEK[0])
    assert run.closes("AAPL") == expected(230.0, WEEK[:1])


def test_an_early_close_ends_the_session(run: Ingestion, server: YahooServer) -> None:
    day = date(2024, 11, 29)
    for symbol in ("AAPL", "MSFT", "^GSPC"):
        server.put(symbol, stock_day(day, 100.0))
    server.put("^VIX", vix_day(day, 13.0))
    run(day, day, now=datetime(2024, 11, 29, 13, 31, tzinfo=NEW_YORK))
    stamps = MarketData(run.directory).timestamps()
    assert stamps[-1] == np.datetime64("2024-11-29T17:30")
    assert len(stamps) == 4


def test_an_hour_missing_of_one_contract_leaves_the_others(
    run: Ingestion, server: YahooServer
) -> None:
    gone = datetime(2024, 10, 14, 11, 30, tzinfo=NEW_YORK)
    del server.closes["AAPL", "1h"][gone]
    server.closes["MSFT", "1h"][gone + timedelta(hours=1)] = None
    summary = run(WEEK[0], WEEK[0])
    assert np.isnan(run.closes("AAPL")).tolist() == [False, False, True, *[False] * 4]
    assert np.isnan(run.closes("MSFT")).tolist() == [*[False] * 3, True, *[False] * 3]
    assert [s.rows for s in summary.symbols] == [6, 6]


def test_daily_bars(run: Ingestion, server: YahooServer) -> None:
    for symbol in ("AAPL", "MSFT", "^GSPC", "^VIX"):
        for offset, day in enumerate(WEEK):
            server.put(symbol, {datetime.combine(day, time(9, 30), NEW_YORK): 10.0 + offset}, "1d")
    friday_afternoon = datetime(2024, 10, 18, 16, 15, tzinfo=NEW_YORK)
    run(WEEK[0], WEEK[4], interval="1d", now=friday_afternoon)
    data = MarketData(run.directory)
    assert data.timestamps()[0] == np.datetime64("2024-10-14T04:00")
    bars = data.bars("AAPL", 0, data.rows, StrategyParameters())
    assert bars.price.tolist() == bars.vix.tolist() == bars.spx.tolist() == [10, 11, 12, 13]


def test_a_share_class_is_one_contract_however_it_is_written(
    run: Ingestion, server: YahooServer
) -> None:
    server.put("BRK-B", stock_day(WEEK[0], 450.0))
    server.put("BRK-B", stock_day(WEEK[1], 451.0))
    run(WEEK[0], WEEK[0], symbols=["BRK.B"])
    summary = run(WEEK[0], WEEK[1], symbols=["BRK-B"])
    assert MarketData(run.directory).contracts == ("BRK-B",)
    assert summary.symbols[0].rows == 14


def test_a_failing_symbol_is_reported_and_leaves_the_rest(run: Ingestion) -> None:
    summary = run(symbols=["AAPL", "NOSUCH", "MSFT"])
    assert summary.contracts == ["AAPL", "MSFT"]
    (failed,) = summary.failed
    assert failed.symbol == "NOSUCH"
    assert failed.rows == 0
    assert "does not know" in str(failed.reason)
    assert MarketData(run.directory).contracts == ("AAPL", "MSFT")


def test_a_symbol_without_bars_in_the_range_is_reported(
    run: Ingestion, server: YahooServer
) -> None:
    server.put("NEW", stock_day(date(2024, 10, 21), 10.0))
    (failed,) = run(symbols=["AAPL", "NEW"]).failed
    assert "no complete bar" in str(failed.reason)
    assert "2024-10-14 to 2024-10-18" in str(failed.reason)


def test_a_failing_symbol_keeps_what_is_stored(run: Ingestion, server: YahooServer) -> None:
    run(WEEK[0], WEEK[2])
    server.always["AAPL"] = not_found("AAPL")
    summary = run(WEEK[0], WEEK[4])
    (failed,) = summary.failed
    assert (failed.symbol, failed.status, failed.rows) == ("AAPL", SymbolStatus.FAILED, 21)
    closes = run.closes("AAPL")
    assert closes[:21] == expected(230.0, WEEK[:3])
    assert np.isnan(closes[21:]).all()
    assert run.closes("MSFT") == expected(420.0, WEEK)


@pytest.mark.parametrize("index", ["^VIX", "^GSPC"])
def test_a_missing_index_fails_the_run_before_the_stocks(
    run: Ingestion, server: YahooServer, index: str
) -> None:
    run(WEEK[0], WEEK[1])
    before = run.contents()
    server.requests.clear()
    server.always[index] = not_found(index)
    with pytest.raises(IngestionError, match="nothing was ingested") as raised:
        run()
    assert index in str(raised.value)
    assert not raised.value.transient
    assert run.contents() == before
    assert not server.asked("AAPL")


def test_when_every_symbol_fails_the_run_fails(run: Ingestion) -> None:
    with pytest.raises(IngestionError, match="and 2 more") as raised:
        run(symbols=["NO1", "NO2", "NO3", "NO4", "NO5"])
    assert "NO1" in str(raised.value)
    assert run.contents() == dict.fromkeys(FILES)


def test_a_rate_limit_is_waited_out(run: Ingestion, server: YahooServer) -> None:
    for symbol in ("AAPL", "MSFT", "^VIX"):
        server.answers[symbol].extend([too_many_requests("0"), too_many_requests(), Answer(500)])
    assert not run().failed
    assert len(server.asked("AAPL")) == 4


def test_a_rate_limit_that_stays_fails_the_symbol_after_a_bounded_number_of_tries(
    run: Ingestion, server: YahooServer
) -> None:
    server.always["AAPL"] = too_many_requests("0")
    (failed,) = run().failed
    assert "429" in str(failed.reason)
    assert len(server.asked("AAPL")) == 5


def test_a_symbol_that_is_gone_is_asked_for_once(run: Ingestion, server: YahooServer) -> None:
    server.always["AAPL"] = not_found("AAPL")
    (failed,) = run().failed
    assert failed.symbol == "AAPL"
    assert len(server.asked("AAPL")) == 1


def test_a_session_without_a_complete_bar_is_not_asked_for(
    run: Ingestion, server: YahooServer
) -> None:
    summary = run(WEEK[3], WEEK[4], now=datetime(2024, 10, 18, 10, 59, tzinfo=NEW_YORK))
    assert summary.last_session == WEEK[3]
    assert {r.end.date() for r in server.requests} == {WEEK[4]}


def test_a_wait_of_an_hour_is_not_waited_for(run: Ingestion, server: YahooServer) -> None:
    server.always["AAPL"] = too_many_requests("3600")
    (failed,) = run().failed
    assert failed.symbol == "AAPL"
    assert len(server.asked("AAPL")) == 1


def test_a_network_that_is_down_fails_the_run(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        source = YahooSource(LocalSession(unused.getsockname()[1]))
        with pytest.raises(IngestionError, match="cannot be reached") as raised:
            Ingestion(source, str(tmp_path / "input"))()
    assert raised.value.transient
    assert "run again later" in str(raised.value)


def test_a_slow_symbol_does_not_hold_up_the_others(run: Ingestion, server: YahooServer) -> None:
    server.gates["AAPL"] = gate = threading.Event()
    msft_asked = threading.Event()
    answer = server.answer

    def watched(path: str, query: dict[str, str]) -> Answer:
        if path.endswith("MSFT") and "period1" in query:
            msft_asked.set()
        return answer(path, query)

    server.answer = watched  # type: ignore[method-assign] # to see requests as they come
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        assert msft_asked.wait(30)
        assert not running.done()
        gate.set()
        assert running.result().contracts == ["AAPL", "MSFT"]


def test_a_second_run_fetches_only_what_is_new(run: Ingestion, server: YahooServer) -> None:
    run(WEEK[0], WEEK[2])
    server.requests.clear()
    summary = run(WEEK[0], WEEK[4])
    (request,) = server.asked("AAPL")
    # One stored session before the new ones, to see whether anything was restated.
    assert (request.start.date(), request.end.date()) == (WEEK[2], date(2024, 10, 19))
    assert [s.new for s in summary.symbols] == [14, 14]
    assert [s.rows for s in summary.symbols] == [35, 35]
    assert run.closes("AAPL") == expected(230.0, WEEK)


def test_piece_by_piece_gives_the_files_of_all_at_once(
    run: Ingestion, source: YahooSource, tmp_path: Path
) -> None:
    for start, end in ((2, 2), (4, 4), (0, 3)):
        run(WEEK[start], WEEK[end])
    at_once = Ingestion(source, str(tmp_path / "at-once"))
    at_once()
    assert run.contents() == at_once.contents()


def test_a_run_with_nothing_new_writes_nothing(run: Ingestion) -> None:
    run()
    before = [run.directory.identity(name) for name in FILES]
    summary = run()
    assert [run.directory.identity(name) for name in FILES] == before
    assert summary.files == ()
    assert {s.status for s in summary.symbols} == {SymbolStatus.CURRENT}


def test_other_symbols_join_those_that_are_there(run: Ingestion) -> None:
    run(WEEK[0], WEEK[2], symbols=["MSFT"])
    run(WEEK[3], WEEK[4], symbols=["AAPL"])
    assert MarketData(run.directory).contracts == ("MSFT", "AAPL")
    assert np.isnan(run.closes("AAPL")).tolist() == [True] * 21 + [False] * 14
    assert np.isnan(run.closes("MSFT")).tolist() == [False] * 21 + [True] * 14


def test_a_restated_bar_is_noticed_taken_over_and_reported(
    run: Ingestion, server: YahooServer
) -> None:
    run(WEEK[0], WEEK[2])
    restated = [
        datetime(2024, 10, 16, 10, 30, tzinfo=NEW_YORK),  # in the session fetched again
        datetime(2024, 10, 14, 10, 30, tzinfo=NEW_YORK),  # found because of the former
    ]
    for moment in restated:
        server.put("AAPL", {moment: 200.0})
    summary = run()
    assert [(s.new, s.restated) for s in summary.symbols] == [(14, 2), (14, 0)]
    closes = run.closes("AAPL")
    assert (closes[1], closes[15]) == (200.0, 200.0)
    assert closes[0] == 230.0


def test_a_split_restates_the_whole_history(
    run: Ingestion, server: YahooServer, source: YahooSource, tmp_path: Path
) -> None:
    run(WEEK[0], WEEK[2])
    bars = server.closes["AAPL", "1h"]
    server.put("AAPL", {start: round(close / 4, 4) for start, close in bars.items() if close})
    server.splits["AAPL"] = (datetime.combine(WEEK[3], time(9, 30), NEW_YORK), 4)
    summary = run()
    assert summary.symbols[0].restated == 21
    at_once = Ingestion(source, str(tmp_path / "at-once"))
    at_once()
    assert run.contents() == at_once.contents()


def test_bars_that_the_source_no_longer_has_follow_a_split(
    run: Ingestion, server: YahooServer
) -> None:
    run(WEEK[0], WEEK[2])
    later = datetime(2026, 10, 15, 20, tzinfo=NEW_YORK)  # 730 days after WEEK[1] has begun
    today = later.date()
    for symbol in ("AAPL", "MSFT", "^GSPC"):
        server.put(symbol, stock_day(today, 100.0))
    server.put("^VIX", vix_day(today, 20.0))
    bars = server.closes["AAPL", "1h"]
    for start, close in list(bars.items()):
        if start.date() in (WEEK[0], WEEK[1]):
            del bars[start]
        elif start.date() < today and close:
            bars[start] = close / 2
    run(today, today, now=later)
    closes = run.closes("AAPL")
    assert closes[:21] == pytest.approx([close / 2 for close in expected(230.0, WEEK[:3])])
    assert closes[21:] == list(stock_day(today, 100.0).values())
    assert run.closes("MSFT")[:21] == expected(420.0, WEEK[:3])


def test_a_range_before_the_stored_one_is_added_in_front(
    run: Ingestion, server: YahooServer
) -> None:
    run(WEEK[3], WEEK[4])
    server.requests.clear()
    run(WEEK[0], WEEK[1])
    asked = server.asked("AAPL")
    assert {(r.start.date(), r.end.date()) for r in asked} == {(WEEK[0], date(2024, 10, 18))}
    assert run.closes("AAPL") == expected(230.0, WEEK)


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


def test_two_intervals_do_not_mix(run: Ingestion, server: YahooServer) -> None:
    run(WEEK[0], WEEK[0])
    before = run.contents()
    server.requests.clear()
    with pytest.raises(ParameterError, match="interval='1d'") as raised:
        run(interval="1d")
    assert "another input_dir" in str(raised.value)
    assert not server.requests
    assert run.contents() == before


@pytest.mark.parametrize("first_time", [True, False])
@pytest.mark.parametrize("failing", range(9))
def test_a_failed_write_leaves_the_previous_set(
    run: Ingestion, monkeypatch: pytest.MonkeyPatch, *, failing: int, first_time: bool
) -> None:
    if not first_time:
        run(WEEK[0], WEEK[1])
    before = run.contents()
    writes = 0
    write = Directory.write_bytes

    def failing_write(self: Directory, name: str, content: bytes | memoryview) -> None:
        nonlocal writes
        if Path(run.input_dir) in (Path(self.path), *Path(self.path).parents):
            writes += not name.startswith(".probe")
            if writes == failing + 1 and not name.startswith(".probe"):
                raise StorageError(name, "no space is left there", "free some")
        write(self, name, content)

    monkeypatch.setattr(Directory, "write_bytes", failing_write)
    if failing >= (5 if first_time else 9):
        run()  # so many writes there are not
    else:
        with pytest.raises(StorageError, match="no space"):
            run()
        assert run.contents() == before
    monkeypatch.undo()
    assert not run().failed
    assert run.closes("AAPL") == expected(230.0, WEEK)


@pytest.mark.parametrize("killed_at", range(4, 9))
def test_a_killed_run_is_undone_by_the_next(
    run: Ingestion, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    run(WEEK[0], WEEK[1])
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
    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.undo()
    summary = run(WEEK[0], WEEK[3])
    assert summary.kept_copy is None  # it is still known as what an ingestion wrote
    assert summary.symbols[0].new == 14
    assert run.closes("AAPL") == expected(230.0, WEEK[:4])


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
    with pytest.raises(ParameterError, match="input_dir"):
        Ingestion(source, str(tmp_path / "file" / "input"))()
    assert not server.requests


def test_importing_ingestion_brings_neither_pandas_nor_a_source() -> None:
    code = "import sys, trading.ingestion; print({'yfinance', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
