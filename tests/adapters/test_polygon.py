"""The Polygon source against a stand-in, which Polygon's own client proves faithful."""

from __future__ import annotations

import logging
import pickle
import socket
import traceback
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import massive
import numpy as np
import pytest
from pydantic import SecretStr

from adapters.market_data.bar_source import AccessError, Adjustment, Delivery
from adapters.market_data.pacing import RequestPacer
from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.client import Patience
from adapters.market_data.rest.polygon import PolygonSource
from tests.adapters.json_server import Answer, dripping_server, json_answer, too_many_requests
from tests.adapters.pacers import paced
from tests.adapters.polygon_server import KEY, Bar, PolygonServer
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.actions import ActionKind
from trading.instruments.clock import NEW_YORK

START = datetime(2024, 7, 1, tzinfo=NEW_YORK)
END = datetime(2024, 7, 4, tzinfo=NEW_YORK)
OPEN = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[PolygonServer]:
    running = PolygonServer()
    with running.running():
        yield running


@pytest.fixture
def source(server: PolygonServer) -> PolygonSource:
    return source_of(server.url)


def source_of(
    url: str, key: str = KEY, pacer: RequestPacer | None = None, **patience: float
) -> PolygonSource:
    return PolygonSource(
        SecretStr(key),
        base_url=url,
        pacer=pacer or paced(1_000)[0],
        patience=Patience(**patience),
    )


def minutes(count: int, start: datetime = OPEN) -> list[Bar]:
    """Bars of count minutes; every third without a vwap, volumes with fractions."""
    return [
        Bar(
            start + timedelta(minutes=i),
            100.0 + i,
            101.5 + i,
            99.25 + i,
            100.5 + i,
            1_000.125 + i,
            None if i % 3 == 2 else 100.25 + i,
            10 + i,
        )
        for i in range(count)
    ]


def fetched(source: PolygonSource, interval: Interval = Interval.MINUTE) -> Delivery:
    return source.bars("AAPL", interval, START, END)


def refused(source: PolygonSource) -> SourceError:
    with pytest.raises(SourceError) as raised:
        fetched(source)
    assert raised.value.symbol == "AAPL"
    return raised.value


def assert_equal(delivery: Delivery, bars: list[Bar]) -> None:
    got = delivery.bars
    starts = [np.datetime64(bar.start.replace(tzinfo=None), "ns") for bar in bars]
    assert got.timestamps.tolist() == np.array(starts).tolist()
    for name in ("open", "high", "low", "close", "volume", "vwap", "trades"):
        expected = [np.nan if getattr(bar, name) is None else getattr(bar, name) for bar in bars]
        np.testing.assert_array_equal(getattr(got, name), expected)


def own_client(server: PolygonServer) -> massive.RESTClient:
    return massive.RESTClient(KEY, base=server.url, retries=0)


def test_the_stand_in_serves_polygons_own_client(server: PolygonServer) -> None:
    bars = minutes(25)
    server.bars["AAPL", "minute"] = bars
    server.page_size = 10
    aggregates = list(
        own_client(server).list_aggs("AAPL", 1, "minute", START, END, adjusted=False, limit=50_000)
    )
    assert [a.timestamp for a in aggregates] == [int(b.start.timestamp() * 1000) for b in bars]
    assert [(a.open, a.volume, a.vwap, a.transactions) for a in aggregates] == [
        (b.open, b.volume, b.vwap, b.trades) for b in bars
    ]
    assert len(server.requests) == 3
    adjusted = next(iter(own_client(server).list_aggs("AAPL", 1, "minute", START, END)))
    assert adjusted.open == bars[0].open / 2


def test_the_stand_in_serves_polygons_own_client_with_tables(server: PolygonServer) -> None:
    plant_tables(server)
    client = own_client(server)
    (split,) = client.list_stocks_splits("NVDA", execution_date_gte="2024-01-01")
    assert (split.execution_date, split.split_from, split.split_to) == ("2024-06-10", 1, 10)
    dividends = list(client.list_stocks_dividends("NVDA", ex_dividend_date_lte="2024-03-05"))
    assert [d.cash_amount for d in dividends] == [0.04]
    assert [t.ticker for t in client.list_tickers(active=True)] == ["BRK.B", "NVDA"]


def test_pages_are_put_together(server: PolygonServer, source: PolygonSource) -> None:
    bars = minutes(25)
    server.bars["AAPL", "minute"] = bars
    server.page_size = 10
    assert_equal(fetched(source), bars)
    assert len(server.requests) == 3
    first = server.requests[0]
    assert first.query["adjusted"] == "false"
    assert KEY not in str([(r.path, r.query) for r in server.requests])


def test_rows_shuffled_and_doubled_across_pages_give_the_same(
    server: PolygonServer, source: PolygonSource
) -> None:
    bars = minutes(12)
    rows = [bar.row(adjusted=False) for bar in bars]
    stale = [{**row, "c": 1.0} for row in rows[:4]]
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(12)]
    server.bars["AAPL", "minute"] = minutes(8)
    server.page_size = 4
    pages = [[*stale], shuffled[:6], [*shuffled[6:], rows[0]]]
    server.changes = [
        {"results": page, "resultsCount": len(page), "count": len(page)} for page in pages
    ]
    server.bars["AAPL", "minute"] = minutes(12)
    delivery = fetched(source)
    assert_equal(delivery, bars)
    assert delivery.repeated == 5


def test_a_long_range_is_asked_for_by_stretches_that_no_page_can_be_too_short_for(
    server: PolygonServer, source: PolygonSource
) -> None:
    bars = [*minutes(3), *minutes(3, OPEN + timedelta(days=50))]
    server.bars["AAPL", "minute"] = bars
    delivery = source.bars("AAPL", Interval.MINUTE, START, START + timedelta(days=60))
    assert_equal(delivery, bars)
    assert len(server.requests) == 2


def test_days_begin_at_midnight_in_new_york(server: PolygonServer, source: PolygonSource) -> None:
    midnight = datetime(2024, 7, 2, 4, tzinfo=UTC)
    server.bars["AAPL", "day"] = [Bar(midnight, 1.0, 2.0, 0.5, 1.5, 10.0, 1.2, 3)]
    assert_equal(fetched(source, Interval.DAY), server.bars["AAPL", "day"])


def test_no_bars_is_an_empty_answer(server: PolygonServer, source: PolygonSource) -> None:
    assert len(fetched(source).bars) == 0


def test_bars_outside_of_the_range_are_left_out(
    server: PolygonServer, source: PolygonSource
) -> None:
    bars = minutes(5)
    server.bars["AAPL", "minute"] = bars
    delivery = source.bars("AAPL", Interval.MINUTE, bars[1].start, bars[4].start)
    assert_equal(delivery, bars[1:4])


def test_a_class_of_shares_is_asked_for_as_polygon_writes_it(
    server: PolygonServer, source: PolygonSource
) -> None:
    server.bars["BRK.B", "minute"] = minutes(2)
    delivery = source.bars("BRK-B", Interval.MINUTE, START, END)
    assert (delivery.bars.symbol, len(delivery.bars)) == ("BRK-B", 2)


@pytest.mark.parametrize("symbol", ["^VIX", "ES=F", "BAC-PL"])
def test_what_polygon_calls_otherwise_is_refused_before_asking(
    server: PolygonServer, source: PolygonSource, symbol: str
) -> None:
    with pytest.raises(SourceError, match="only stocks and funds"):
        source.bars(symbol, Interval.MINUTE, START, END)
    assert server.requests == []


@pytest.mark.parametrize(
    ("change", "words", "transient"),
    [
        ({"adjusted": True}, "is adjusted", False),
        ({"adjusted": None}, "is adjusted", False),
        ({"results": None, "resultsCount": 3}, "does not say that there are none", True),
        ({"resultsCount": 4}, "counts 4", True),
        ({"resultsCount": None}, "does not count", True),
        ({"status": "ERROR"}, "does not say that it is right", True),
        ({"ticker": "MSFT"}, "another ticker", True),
        ({"queryCount": 50_000}, "without naming the next page", True),
        ({"results": [{"t": 1}] * 3}, "lacks a number", True),
        ({"results": [{"t": None, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}] * 3}, "a time", True),
        ({"results": [{"t": 1, "o": "1", "h": 1, "l": 1, "c": 1, "v": 1}] * 3}, "a number", True),
    ],
)
def test_a_page_that_is_not_what_it_should_be_is_a_failure(
    server: PolygonServer,
    source: PolygonSource,
    change: dict[str, Any],
    words: str,
    *,
    transient: bool,
) -> None:
    server.bars["AAPL", "minute"] = minutes(3)
    server.changes = [change] * 5
    error = refused(source)
    assert words in error.reason
    assert error.transient is transient


def test_a_last_page_that_is_cut_is_a_failure_where_polygons_own_client_ends(
    server: PolygonServer, source: PolygonSource
) -> None:
    server.bars["AAPL", "minute"] = minutes(25)
    server.page_size = 10
    page = json_answer({"status": "OK", "adjusted": False})
    server.faults.extend([None, page])
    assert len(list(own_client(server).list_aggs("AAPL", 1, "minute", START, END))) == 10
    server.faults.extend([None, page])
    assert "does not count" in refused(source).reason


def test_pages_in_a_circle_are_a_failure(server: PolygonServer, source: PolygonSource) -> None:
    server.bars["AAPL", "minute"] = minutes(3)
    here = "/v2/aggs/ticker/AAPL/range/1/minute/1719806400000/1720065599999?adjusted=false"
    server.changes = [{"next_url": f"https://elsewhere.invalid{here}"}] * 5
    assert "there before" in refused(source).reason


@pytest.mark.parametrize(
    "fault",
    [
        Answer(500, "<html>down</html>"),
        Answer(503),
        Answer(200, "<html>maintenance</html>"),
        Answer(200, '{"status": "OK", "results": [', missing=500),
        Answer(200, '{"status": "OK", "results": ['),
        Answer(200, '{"status": "OK", "count": NaN}'),
        Answer(408),
    ],
)
def test_a_passing_fault_is_tried_again_and_a_lasting_one_is_transient(
    server: PolygonServer, source: PolygonSource, fault: Answer
) -> None:
    server.bars["AAPL", "minute"] = minutes(25)
    server.page_size = 10
    server.faults.extend([None, fault])
    assert len(fetched(source).bars) == 25
    assert len(server.requests) == 4  # the page again, not the pages before
    server.faults.extend([fault] * 10)
    error = refused(source)
    assert error.transient
    assert "<html>" not in error.reason


def test_a_rate_limit_holds_all_threads_back_for_as_long_as_it_says(server: PolygonServer) -> None:
    server.bars["AAPL", "minute"] = minutes(3)
    pacer, time = paced(1_000)
    source, other = source_of(server.url, pacer=pacer), source_of(server.url, pacer=pacer)
    server.faults.append(too_many_requests("7"))
    begun = time.now
    assert len(fetched(source).bars) == 3
    assert time.now - begun >= 7
    server.faults.extend([too_many_requests("9")] * 10)
    assert refused(source).retry_after == 9
    server.faults.clear()
    limited = time.now
    fetched(other)
    assert time.now - limited == pytest.approx(9)


def test_a_wait_that_is_too_long_is_not_waited_for(server: PolygonServer) -> None:
    pacer, time = paced(1_000)
    server.faults.append(too_many_requests("3600"))
    error = refused(source_of(server.url, pacer=pacer))
    assert (error.transient, error.retry_after) == (True, 3_600)
    assert len(server.requests) == 1
    assert sum(time.slept) < 60


def test_sources_with_the_same_key_share_their_turns(server: PolygonServer) -> None:
    def pacer_of(key: str) -> object:
        return PolygonSource(SecretStr(key), base_url=server.url)._client._pacer

    assert pacer_of("a") is pacer_of("a")
    assert pacer_of("a") is not pacer_of("b")


def test_a_server_that_hangs_is_given_up(server: PolygonServer) -> None:
    server.gate.clear()
    error = refused(source_of(server.url, read=0.1))
    assert error.transient
    assert "cannot be reached (ReadTimeout)" in error.reason


def test_an_answer_without_an_end_is_given_up() -> None:
    with dripping_server() as url:
        error = refused(source_of(url, answer=0.1))
    assert error.transient
    assert "cannot be reached (ReadTimeout)" in error.reason


def test_a_network_that_is_down_is_transient() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = refused(source_of(f"http://127.0.0.1:{unused.getsockname()[1]}"))
    assert error.transient


def test_a_redirect_takes_the_key_nowhere(server: PolygonServer, source: PolygonSource) -> None:
    elsewhere = PolygonServer()
    with elsewhere.running():
        server.faults.append(Answer(302, headers={"Location": f"{elsewhere.url}/v2"}))
        error = refused(source)
    assert not error.transient
    assert elsewhere.requests == []


@pytest.mark.parametrize("key", [None, "", "two words", "line\nbreak", "schlüssel"])
def test_a_missing_or_malformed_key_is_refused_in_one_sentence(key: str | None) -> None:
    with pytest.raises(ParameterError) as raised:
        PolygonSource(None if key is None else SecretStr(key))
    message = str(raised.value)
    assert message.startswith("polygon_api_key=")
    assert "TRADING_POLYGON_API_KEY" in message
    assert "\n" not in message
    assert not key or key not in message


def test_a_wrong_key_is_told_in_one_sentence_without_the_key(server: PolygonServer) -> None:
    source = source_of(server.url, "wrong-key-4711")
    with pytest.raises(AccessError) as raised:
        source.check_access()
    assert str(raised.value) == (
        "polygon_api_key: Polygon refuses the key (HTTP 401: Unknown API Key); correct the key"
    )
    assert isinstance(pickle.loads(pickle.dumps(raised.value)), AccessError)  # noqa: S301 - ours
    assert len(server.requests) == 1


def test_a_right_key_has_access(server: PolygonServer, source: PolygonSource) -> None:
    server.tables["/v3/reference/tickers"] = [{"ticker": "AAPL"}]
    source.check_access()


def test_what_the_plan_does_not_hold_is_not_the_keys_fault(
    server: PolygonServer, source: PolygonSource
) -> None:
    words = f"You are not entitled to this data with {KEY}."
    server.faults.append(json_answer({"status": "NOT_AUTHORIZED", "message": words}, 403))
    error = refused(source)
    assert not isinstance(error, AccessError)
    assert not error.transient
    assert "not entitled" in error.reason
    assert KEY not in error.reason


@pytest.mark.parametrize(
    "fault", [Answer(500), Answer(401, "{}"), Answer(200, "{"), Answer(200, "", missing=9)]
)
def test_the_key_is_in_no_error_traceback_or_log(
    server: PolygonServer, caplog: pytest.LogCaptureFixture, fault: Answer
) -> None:
    caplog.set_level(logging.DEBUG)
    server.faults.extend([fault] * 10)
    error = refused(source_of(server.url))
    assert KEY not in "".join(traceback.format_exception(error))
    assert KEY not in caplog.text
    assert KEY not in repr(pickle.dumps(error))


def test_what_polygon_cannot_do_is_refused_before_asking(
    server: PolygonServer, source: PolygonSource
) -> None:
    with pytest.raises(SourceError, match="polygon has no 1h bars, only 1m, 1d"):
        source.bars("AAPL", Interval.HOUR, START, END)
    early = datetime(1999, 1, 4, tzinfo=NEW_YORK)
    with pytest.raises(SourceError, match="from 2003-09-10 on"):
        source.bars("AAPL", Interval.DAY, early, early + timedelta(days=9))
    with pytest.raises(ParameterError, match=r"time-zone aware; write 2024-07-01T00:00:00-04:00"):
        source.bars("AAPL", Interval.DAY, START.replace(tzinfo=None), END)
    with pytest.raises(ParameterError, match="is not after start"):
        source.bars("AAPL", Interval.DAY, END, START)
    with pytest.raises(ParameterError, match="contract="):
        source.bars("../AAPL", Interval.DAY, START, END)
    assert server.requests == []
    assert source.capability.adjustment is Adjustment.RAW


def plant_tables(server: PolygonServer) -> None:
    server.tables["/stocks/v1/splits"] = [
        split("NVDA", "2021-07-20", 1, 4),
        split("NVDA", "2024-06-10", 1, 10),
        split("GE", "2021-08-02", 8, 1),
    ]
    server.tables["/stocks/v1/dividends"] = [
        dividend("NVDA", "2024-03-05", 0.04, "2024-02-21"),
        dividend("NVDA", "2024-06-11", 0.01, None),
    ]
    server.tables["/v3/reference/tickers"] = [
        ticker("BRK.B", "CS"),
        ticker("NVDA", "CS"),
        ticker("BACpL", "PFD"),
        ticker("META", "ETF", "2022-02-01"),
    ]
    server.tables["/v3/reference/tickers"][2]["active"] = False


def split(symbol: str, day: str, old: int, new: int) -> dict[str, Any]:
    return {"ticker": symbol, "execution_date": day, "split_from": old, "split_to": new}


def dividend(symbol: str, day: str, cash: float, declared: str | None) -> dict[str, Any]:
    row = {"ticker": symbol, "ex_dividend_date": day, "cash_amount": cash, "currency": "USD"}
    return row | ({} if declared is None else {"declaration_date": declared})


def ticker(name: str, kind: str, delisted: str | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {"ticker": name, "type": kind, "name": f"{name} Inc."}
    row |= {"primary_exchange": "XNAS", "active": delisted is None, "market": "stocks"}
    return row | ({} if delisted is None else {"delisted_utc": f"{delisted}T05:00:00Z"})


def test_actions_come_in_order_with_what_was_known_when(
    server: PolygonServer, source: PolygonSource
) -> None:
    plant_tables(server)
    server.page_size = 1
    actions = source.actions("NVDA", date(2024, 1, 1), date(2024, 12, 31))
    assert [(a.kind, a.ex_date, a.value) for a in actions] == [
        (ActionKind.DIVIDEND, date(2024, 3, 5), 0.04),
        (ActionKind.SPLIT, date(2024, 6, 10), 10.0),
        (ActionKind.DIVIDEND, date(2024, 6, 11), 0.01),
    ]
    assert actions[0].known_at == datetime(2024, 2, 22, tzinfo=NEW_YORK)
    assert actions[1].known_at is None
    (reverse,) = source.actions("GE", date(2021, 8, 2), date(2021, 8, 2))
    assert reverse.value == 0.125
    assert source.actions("AAPL", date(2024, 1, 1), date(2024, 12, 31)) == ()


def test_an_action_without_a_ratio_is_a_failure(
    server: PolygonServer, source: PolygonSource
) -> None:
    plant_tables(server)
    del server.tables["/stocks/v1/splits"][0]["split_to"]
    with pytest.raises(SourceError, match="an action that lacks something"):
        source.actions("NVDA", date(2021, 1, 1), date(2024, 12, 31))


def test_a_table_that_ends_without_saying_so_is_a_failure(
    server: PolygonServer, source: PolygonSource
) -> None:
    plant_tables(server)
    server.page_size = 1
    server.faults.extend([None, json_answer({"status": "OK"})])
    with pytest.raises(SourceError, match="does not say that there are none"):
        source.actions("NVDA", date(2021, 1, 1), date(2024, 12, 31))


def test_instruments_are_stocks_and_funds_delisted_ones_as_well(
    server: PolygonServer, source: PolygonSource
) -> None:
    plant_tables(server)
    server.page_size = 1
    found = [(i.symbol, i.kind, i.exchange, i.delisted) for i in source.instruments()]
    assert found == [
        ("BRK-B", "stock", "XNAS", None),
        ("META", "etf", "XNAS", date(2022, 2, 1)),
        ("NVDA", "stock", "XNAS", None),
    ]
    assert [i.symbol for i in source.instruments(["NVDA", "NOSUCH"])] == ["NVDA"]
