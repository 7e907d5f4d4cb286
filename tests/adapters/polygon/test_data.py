"""Bars, actions and instruments of the stand-in, which Polygon's own client proves faithful."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from adapters.market_data.bar_source import Adjustment, Delivery
from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.polygon import PolygonSource
from tests.adapters.json_server import json_answer
from tests.adapters.polygon.conftest import END, OPEN, START, fetched, minutes, own_client
from tests.adapters.polygon_server import KEY, Bar, PolygonServer
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.actions import ActionKind
from trading.instruments.clock import NEW_YORK


def assert_equal(delivery: Delivery, bars: list[Bar]) -> None:
    got = delivery.bars
    starts = [np.datetime64(bar.start.replace(tzinfo=None), "ns") for bar in bars]
    assert got.timestamps.tolist() == np.array(starts).tolist()
    for name in ("open", "high", "low", "close", "volume", "vwap", "trades"):
        expected = [np.nan if getattr(bar, name) is None else getattr(bar, name) for bar in bars]
        np.testing.assert_array_equal(getattr(got, name), expected)


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
