"""The Alpaca source against a stand-in, which Alpaca's own client proves faithful."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from alpaca.data.enums import Adjustment as TheirAdjustment
from alpaca.data.enums import DataFeed
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.requests import CorporateActionsRequest, StockBarsRequest
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.client import TradingClient
from alpaca.trading.models import Asset
from pydantic import SecretStr

from adapters.market_data.bar_source import AccessError, Delivery
from adapters.market_data.pacing import RequestPacer
from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.alpaca import AlpacaSource
from adapters.market_data.rest.client import Patience
from tests.adapters.alpaca_server import KEY_ID, SECRET, AlpacaServer
from tests.adapters.json_server import Answer, json_answer, too_many_requests
from tests.adapters.pacers import paced
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.actions import ActionKind
from trading.instruments.clock import NEW_YORK

START = datetime(2024, 7, 1, tzinfo=NEW_YORK)
END = datetime(2024, 7, 4, tzinfo=NEW_YORK)
OPEN = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[AlpacaServer]:
    running = AlpacaServer()
    with running.running():
        yield running


@pytest.fixture
def source(server: AlpacaServer) -> AlpacaSource:
    return source_of(server.url)


def source_of(
    url: str, secret: str = SECRET, pacer: RequestPacer | None = None, **patience: float
) -> AlpacaSource:
    return AlpacaSource(
        SecretStr(KEY_ID),
        SecretStr(secret),
        data_url=url,
        trading_url=url,
        pacer=pacer or paced(1_000)[0],
        patience=Patience(**patience),
    )


def rows(count: int, start: datetime = OPEN) -> list[dict[str, Any]]:
    """Minutes as Alpaca sends them."""
    return [
        {
            "t": (start + timedelta(minutes=i)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "o": 100.0 + i,
            "h": 101.5 + i,
            "l": 99.25 + i,
            "c": 100.5 + i,
            "v": 1_000 + i,
            "n": 10 + i,
            "vw": 100.25 + i,
        }
        for i in range(count)
    ]


def fetched(source: AlpacaSource, interval: Interval = Interval.MINUTE) -> Delivery:
    return source.bars("AAPL", interval, START, END)


def refused(source: AlpacaSource) -> SourceError:
    with pytest.raises(SourceError) as raised:
        fetched(source)
    assert raised.value.symbol == "AAPL"
    return raised.value


def assert_equal(delivery: Delivery, expected: list[dict[str, Any]]) -> None:
    starts = np.array([row["t"].removesuffix("Z") for row in expected], "datetime64[ns]")
    assert delivery.bars.timestamps.tolist() == starts.tolist()
    names = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v", "vwap": "vw"}
    for name, key in (names | {"trades": "n"}).items():
        np.testing.assert_array_equal(getattr(delivery.bars, name), [row[key] for row in expected])


def test_the_stand_in_serves_alpacas_own_clients(server: AlpacaServer) -> None:
    server.bars["AAPL", "1Min", "iex"] = rows(25)
    server.page_size = 10
    client = StockHistoricalDataClient(KEY_ID, SECRET, url_override=server.url)
    request = StockBarsRequest(
        symbol_or_symbols="AAPL",
        timeframe=TimeFrame.Minute,
        start=START,
        end=END,
        feed=DataFeed.IEX,
        adjustment=TheirAdjustment.RAW,
    )
    bars = client.get_stock_bars(request)["AAPL"]
    assert [bar.timestamp for bar in bars] == [OPEN + timedelta(minutes=i) for i in range(25)]
    assert [(bar.open, bar.trade_count) for bar in bars] == [(r["o"], r["n"]) for r in rows(25)]
    assert len(server.requests) == 3
    plant_tables(server)
    actions = CorporateActionsClient(KEY_ID, SECRET, url_override=server.url)
    found = actions.get_corporate_actions(
        CorporateActionsRequest(symbols=["NVDA"], start=date(2024, 1, 1), end=date(2024, 12, 31))
    )
    assert [s.new_rate for s in found["forward_splits"]] == [10.0]
    assert [d.rate for d in found["cash_dividends"]] == [0.04, 0.01]
    assets = TradingClient(KEY_ID, SECRET, url_override=server.url).get_all_assets()
    assert [asset.symbol for asset in assets if isinstance(asset, Asset)] == [
        "NVDA",
        "BRK.B",
        "PENNY",
    ]


def test_pages_are_put_together(server: AlpacaServer, source: AlpacaSource) -> None:
    server.bars["AAPL", "1Min", "iex"] = rows(25)
    server.page_size = 10
    assert_equal(fetched(source), rows(25))
    assert len(server.requests) == 3
    query = server.requests[0].query
    assert {name: query[name] for name in ("adjustment", "feed", "asof")} == {
        "adjustment": "raw",
        "feed": "iex",
        "asof": "-",
    }
    assert SECRET not in str([(r.path, r.query) for r in server.requests])


def test_doubled_rows_count_once_and_the_last_counts(
    server: AlpacaServer, source: AlpacaSource
) -> None:
    stale = [{**row, "c": 1.0} for row in rows(4)]
    server.bars["AAPL", "1Min", "iex"] = [*stale, *reversed(rows(12))]
    server.page_size = 5
    delivery = fetched(source)
    assert_equal(delivery, rows(12))
    assert delivery.repeated == 4


def test_the_end_is_not_included(server: AlpacaServer, source: AlpacaSource) -> None:
    server.bars["AAPL", "1Min", "iex"] = rows(5)
    minute = timedelta(minutes=1)
    delivery = source.bars("AAPL", Interval.MINUTE, OPEN + minute, OPEN + 4 * minute)
    assert_equal(delivery, rows(5)[1:4])
    assert server.requests[0].query["end"] == "2024-07-01T13:33:59.999999Z"


def test_days_begin_at_midnight_in_new_york(server: AlpacaServer, source: AlpacaSource) -> None:
    day = {**rows(1)[0], "t": "2024-07-02T04:00:00Z"}
    server.bars["AAPL", "1Day", "iex"] = [day]
    assert_equal(fetched(source, Interval.DAY), [day])


def test_no_bars_is_an_empty_answer(source: AlpacaSource) -> None:
    assert len(fetched(source).bars) == 0


def test_the_feed_of_all_venues_is_asked_for_by_name(server: AlpacaServer) -> None:
    server.bars["AAPL", "1Min", "sip"] = rows(3)
    pacer = paced(1_000)[0]
    source = AlpacaSource(
        SecretStr(KEY_ID), SecretStr(SECRET), data_url=server.url, feed="sip", pacer=pacer
    )
    assert len(fetched(source).bars) == 3
    assert source.capability.consolidated
    assert not source_of(server.url).capability.consolidated


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bars": None}, "has no bars"),
        ({"bars": {"MSFT": rows(1)}}, "another symbol"),
        ({"bars": {"AAPL": [{**rows(1)[0], "t": "2024-07-01 13:30"}]}}, "without a time in UTC"),
        ({"bars": {"AAPL": [{**rows(1)[0], "t": "2024-13-01T13:30:00Z"}]}}, "does not exist"),
        ({"bars": {"AAPL": [{"t": "2024-07-01T13:30:00Z"}]}}, "lacks a number"),
        ({"next_page_token": ""}, "there before"),
        ({"next_page_token": "0"}, "there before"),
    ],
)
def test_a_page_that_is_not_what_it_should_be_is_a_failure(
    server: AlpacaServer, source: AlpacaSource, change: dict[str, Any], words: str
) -> None:
    server.bars["AAPL", "1Min", "iex"] = rows(3)
    server.changes = [change] * 10
    error = refused(source)
    assert words in error.reason
    assert error.transient


def test_a_page_that_does_not_say_whether_it_is_the_last_is_a_failure(
    server: AlpacaServer, source: AlpacaSource
) -> None:
    server.bars["AAPL", "1Min", "iex"] = rows(3)
    server.dropped = ["next_page_token"]
    assert "whether it is the last" in refused(source).reason


@pytest.mark.parametrize(
    "fault",
    [
        Answer(500, "<html>down</html>"),
        Answer(504),
        Answer(200, "<html>maintenance</html>"),
        Answer(200, '{"bars": {"AAPL": [', missing=500),
        Answer(200, '{"bars": {"AAPL": ['),
    ],
)
def test_a_passing_fault_is_tried_again_and_a_lasting_one_is_transient(
    server: AlpacaServer, source: AlpacaSource, fault: Answer
) -> None:
    server.bars["AAPL", "1Min", "iex"] = rows(25)
    server.page_size = 10
    server.faults.extend([None, fault])
    assert len(fetched(source).bars) == 25
    assert len(server.requests) == 4
    server.faults.extend([fault] * 10)
    assert refused(source).transient


def test_a_rate_limit_is_waited_for_by_all(server: AlpacaServer) -> None:
    server.bars["AAPL", "1Min", "iex"] = rows(3)
    pacer, time = paced(1_000)
    server.faults.append(too_many_requests("7"))
    begun = time.now
    assert len(fetched(source_of(server.url, pacer=pacer)).bars) == 3
    assert time.now - begun >= 7


def test_a_limit_that_names_no_time_is_waited_for_as_well(server: AlpacaServer) -> None:
    pacer, time = paced(1_000)
    server.faults.append(too_many_requests())
    begun = time.now
    fetched(source_of(server.url, pacer=pacer))
    assert time.now - begun >= 5


def test_a_server_that_hangs_is_given_up(server: AlpacaServer) -> None:
    server.gate.clear()
    error = refused(source_of(server.url, read=0.1))
    assert error.transient
    assert "ReadTimeout" in error.reason


@pytest.mark.parametrize("missing", ["alpaca_key_id", "alpaca_secret_key"])
def test_a_missing_key_is_refused_in_one_sentence(missing: str) -> None:
    keys = {"alpaca_key_id": SecretStr("a"), "alpaca_secret_key": SecretStr("b"), missing: None}
    with pytest.raises(ParameterError) as raised:
        AlpacaSource(keys["alpaca_key_id"], keys["alpaca_secret_key"])
    assert raised.value.parameter == missing
    assert f"TRADING_{missing.upper()}" in str(raised.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_told_in_one_sentence_without_the_key(
    server: AlpacaServer, status: int
) -> None:
    server.faults.append(json_answer({"message": "forbidden: alpaca-id-1234"}, status))
    with pytest.raises(AccessError) as raised:
        source_of(server.url, "wrong").check_access()
    message = str(raised.value)
    assert "refuses the key" in message
    assert KEY_ID not in message
    with pytest.raises(AccessError):
        source_of(server.url, "wrong").check_access()
    source_of(server.url).check_access()


def test_a_plan_that_lacks_something_is_not_the_keys_fault(
    server: AlpacaServer, source: AlpacaSource
) -> None:
    words = "subscription does not permit querying recent SIP data"
    server.faults.append(json_answer({"message": words}, 403))
    error = refused(source)
    assert not isinstance(error, AccessError)
    assert words in error.reason


@pytest.mark.parametrize("fault", [Answer(500), Answer(403, "{}"), Answer(200, "", missing=9)])
def test_the_keys_are_in_no_error_traceback_or_log(
    server: AlpacaServer, caplog: pytest.LogCaptureFixture, fault: Answer
) -> None:
    caplog.set_level(logging.DEBUG)
    server.faults.extend([fault] * 10)
    error = refused(source_of(server.url))
    shown = "".join(traceback.format_exception(error)) + caplog.text + repr(pickle.dumps(error))
    assert SECRET not in shown
    assert KEY_ID not in shown


def plant_tables(server: AlpacaServer) -> None:
    server.actions["forward_splits"] = [
        {
            "id": "7d1a1f8e-0000-4000-8000-000000000001",
            "symbol": "NVDA",
            "cusip": "67066G104",
            "new_rate": 10,
            "old_rate": 1,
            "process_date": "2024-06-10",
            "ex_date": "2024-06-10",
        }
    ]
    server.actions["cash_dividends"] = [
        {
            "id": f"7d1a1f8e-0000-4000-8000-00000000001{i}",
            "symbol": "NVDA",
            "cusip": "67066G104",
            "rate": rate,
            "special": False,
            "foreign": False,
            "process_date": paid,
            "ex_date": ex,
        }
        for i, (ex, paid, rate) in enumerate(
            [("2024-03-05", "2024-03-27", 0.04), ("2024-06-11", "2024-06-28", 0.01)]
        )
    ]
    server.actions["stock_dividends"] = [
        {"symbol": "TR", "rate": 0.03, "process_date": "2024-03-01", "ex_date": "2024-03-04"}
    ]
    server.assets = [
        asset("NVDA", "NASDAQ"),
        asset("BRK.B", "NYSE"),
        asset("PENNY", "OTC"),
    ]


def asset(symbol: str, exchange: str) -> dict[str, Any]:
    flags = ("tradable", "marginable", "shortable", "easy_to_borrow", "fractionable")
    return {
        "id": "7d1a1f8e-0000-4000-8000-000000000009",
        "class": "us_equity",
        "exchange": exchange,
        "symbol": symbol,
        "name": f"{symbol} Inc.",
        "status": "active",
        **dict.fromkeys(flags, True),
    }


def test_actions_are_those_of_the_ex_date_however_late_they_are_booked(
    server: AlpacaServer, source: AlpacaSource
) -> None:
    plant_tables(server)
    server.page_size = 1
    actions = source.actions("NVDA", date(2024, 3, 5), date(2024, 6, 10))
    assert [(a.kind, a.ex_date, a.value) for a in actions] == [
        (ActionKind.DIVIDEND, date(2024, 3, 5), 0.04),
        (ActionKind.SPLIT, date(2024, 6, 10), 10.0),
    ]
    (cash,) = source.actions("NVDA", date(2024, 3, 5), date(2024, 3, 5))
    assert cash.value == 0.04
    (shares,) = source.actions("TR", date(2024, 3, 4), date(2024, 12, 31))
    assert (shares.kind, shares.value) == (ActionKind.SPLIT, 1.03)


def test_an_action_of_an_unknown_kind_or_without_a_rate_is_a_failure(
    server: AlpacaServer, source: AlpacaSource
) -> None:
    plant_tables(server)
    whole = (date(2024, 1, 1), date(2024, 12, 31))
    del server.actions["forward_splits"][0]["new_rate"]
    with pytest.raises(SourceError, match="an action that lacks something"):
        source.actions("NVDA", *whole)
    server.changes = [{"corporate_actions": {"spin_offs": [{"symbol": "NVDA"}]}}]
    with pytest.raises(SourceError, match="spin_offs"):
        source.actions("NVDA", *whole)


def test_instruments_are_those_of_the_exchanges(server: AlpacaServer, source: AlpacaSource) -> None:
    plant_tables(server)
    found = [(i.symbol, i.exchange) for i in source.instruments()]
    assert found == [("BRK-B", "XNYS"), ("NVDA", "XNAS")]
    assert [i.symbol for i in source.instruments(["NVDA", "NOSUCH"])] == ["NVDA"]
