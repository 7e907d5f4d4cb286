"""A second ingestion: what it asks for, and how it merges with what is stored."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pytest

from adapters.market_data.yahoo import YahooSource
from lake.market.ingestion import SymbolStatus
from lake.market.inputs import MarketData
from tests.adapters.yahoo_server import NEW_YORK, YahooServer, stock_day, vix_day
from tests.lake.market.ingestion.conftest import FILES, WEEK, Ingestion, expected


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
    server.splits["AAPL"] = [(datetime.combine(WEEK[3], time(9, 30), NEW_YORK), 4)]
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
