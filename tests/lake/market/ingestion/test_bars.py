"""Which bars an ingestion stores, and when they are joined: yfinance against a local server."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from lake.market.inputs import MarketData
from tests.adapters.yahoo_server import NEW_YORK, YahooServer, stock_day, vix_day
from tests.lake.market.ingestion.conftest import FILES, WEEK, Ingestion, expected
from trading.strategies.market_model.parameters import StrategyParameters


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


def test_bars_on_the_full_hour_are_refused_for_what_they_are(
    run: Ingestion, server: YahooServer
) -> None:
    bars = server.closes["AAPL", "1h"]
    server.closes["AAPL", "1h"] = {at + timedelta(minutes=30): bars[at] for at in bars}
    (apple, microsoft) = run(WEEK[0], WEEK[1]).symbols
    assert (apple.status, microsoft.status) == ("failed", "updated")
    assert apple.reason == (
        "the bars that yahoo has of it in 2024-10-14 to 2024-10-15 start at 10:00, 11:00, 12:00 "
        "... in New York, while 1h bars here start at the open, 09:30, and every hour after it; "
        "take them from a source that starts them so"
    )


def test_a_symbol_without_a_bar_has_none(run: Ingestion, server: YahooServer) -> None:
    server.closes["AAPL", "1h"] = stock_day(WEEK[4], 234.0)
    assert run(WEEK[0], WEEK[1]).symbols[0].reason == (
        "yahoo has no complete bar of it in 2024-10-14 to 2024-10-15"
    )


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


def test_a_session_without_a_complete_bar_is_not_asked_for(
    run: Ingestion, server: YahooServer
) -> None:
    summary = run(WEEK[3], WEEK[4], now=datetime(2024, 10, 18, 10, 59, tzinfo=NEW_YORK))
    assert summary.last_session == WEEK[3]
    assert {r.end.date() for r in server.requests} == {WEEK[4]}
