"""The Yahoo source: the real yfinance client against a server that speaks Yahoo's chart API."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import Any

import numpy as np
import pytest
import yfinance as yf
from curl_cffi import requests

from adapters.market_data.pacing import RequestPacer
from adapters.market_data.protocol import CloseInterval, ClosePrices, SourceError
from adapters.market_data.yahoo import YahooSource
from tests.adapters.yahoo_server import (
    NEW_YORK,
    Answer,
    LocalSession,
    YahooServer,
    no_bars,
    not_found,
    stock_day,
    too_many_requests,
    vix_day,
)

DAY = date(2024, 10, 15)
START = datetime.combine(DAY, time(), NEW_YORK)
END = START + timedelta(days=1)


@pytest.fixture(scope="module", autouse=True)
def _yfinance_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    yf.set_tz_cache_location(str(tmp_path_factory.mktemp("yfinance")))


@pytest.fixture
def server() -> Iterator[YahooServer]:
    with YahooServer().running() as running:
        yield running


@pytest.fixture
def source(server: YahooServer) -> YahooSource:
    return YahooSource(LocalSession(server.port))


def fetched(source: YahooSource, symbol: str = "AAPL", days: int = 1) -> ClosePrices:
    return source.close_prices(symbol, START, START + timedelta(days=days), CloseInterval.HOUR)


def refused(source: YahooSource, symbol: str = "AAPL") -> SourceError:
    with pytest.raises(SourceError) as raised:
        fetched(source, symbol)
    assert raised.value.symbol == symbol
    return raised.value


def utc(moments: list[datetime]) -> list[np.datetime64]:
    return [np.datetime64(m.astimezone(UTC).replace(tzinfo=None), "ns") for m in moments]


def test_hourly_closes_come_with_their_bar_starts_in_utc(
    server: YahooServer, source: YahooSource
) -> None:
    bars = stock_day(DAY, 230.0)
    server.put("AAPL", bars)
    prices = fetched(source)
    assert prices.timestamps.dtype == np.dtype("datetime64[ns]")
    assert prices.timestamps.tolist() == np.array(utc(list(bars))).tolist()
    assert prices.timestamps[0] == np.datetime64("2024-10-15T13:30")
    assert prices.close.tolist() == list(bars.values())


def test_only_the_range_asked_for_is_requested(server: YahooServer, source: YahooSource) -> None:
    for offset in range(4):
        server.put("AAPL", stock_day(DAY + timedelta(days=offset), 230.0 + offset))
    prices = fetched(source, days=2)
    assert len(prices) == 14
    (request,) = server.asked("AAPL")
    assert (request.start, request.end) == (START, START + timedelta(days=2))
    assert request.interval == "1h"


def test_the_vix_keeps_its_own_hours(server: YahooServer, source: YahooSource) -> None:
    server.put("^VIX", vix_day(DAY, 19.0))
    prices = fetched(source, "^VIX")
    assert len(prices) == 13
    assert prices.timestamps[0] == np.datetime64("2024-10-15T07:15")


@pytest.mark.parametrize("symbol", ["AAPL", "^VIX"])
def test_daily_bars_start_at_midnight_in_new_york(
    server: YahooServer, source: YahooSource, symbol: str
) -> None:
    opened = datetime.combine(DAY, time(9, 30), NEW_YORK)
    server.put(symbol, {opened: 233.85}, "1d")
    prices = source.close_prices(symbol, START, END, CloseInterval.DAY)
    assert prices.timestamps.tolist() == np.array(utc([START])).tolist()
    assert prices.close.tolist() == [233.85]


def test_a_missing_price_is_nan_or_left_out(server: YahooServer, source: YahooSource) -> None:
    bars = stock_day(DAY, 230.0)
    missing = list(bars)[3]
    server.put("AAPL", {**bars, missing: None})
    prices = fetched(source)
    at = prices.timestamps == utc([missing])[0]
    assert np.isnan(prices.close[at]).all()
    assert np.isfinite(prices.close[~at]).sum() == 6


def test_a_split_is_in_the_prices_already(server: YahooServer, source: YahooSource) -> None:
    bars = stock_day(DAY, 230.0)
    server.put("AAPL", bars)
    server.splits["AAPL"] = [(next(iter(bars)), 4)]
    assert fetched(source).close.tolist() == list(bars.values())


@pytest.mark.parametrize("answer", [None, no_bars()])
def test_a_range_without_bars_is_an_empty_answer(
    server: YahooServer, source: YahooSource, answer: Answer | None
) -> None:
    server.put("AAPL", stock_day(DAY - timedelta(days=30), 230.0))
    if answer is not None:
        server.always["AAPL"] = answer
    assert len(fetched(source)) == 0


def test_an_unknown_symbol_is_not_worth_a_retry(server: YahooServer, source: YahooSource) -> None:
    error = refused(source, "NOSUCH")
    assert not error.transient
    assert "does not know" in error.reason
    assert "may be delisted" in error.reason


def test_a_symbol_that_disappears_is_not_worth_a_retry(
    server: YahooServer, source: YahooSource
) -> None:
    server.put("AAPL", stock_day(DAY, 230.0))
    server.always["AAPL"] = not_found("AAPL")
    assert not refused(source).transient


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), (None, None), ("soon", None), ("-1", None)]
)
def test_a_rate_limit_is_transient_and_says_how_long_to_wait(
    server: YahooServer, source: YahooSource, header: str | None, seconds: float | None
) -> None:
    server.put("AAPL", stock_day(DAY, 230.0))
    server.answers["AAPL"].append(too_many_requests(header))
    error = refused(source)
    assert error.transient
    assert error.retry_after == seconds
    assert "429" in error.reason


def test_retry_after_may_be_a_date(server: YahooServer, source: YahooSource) -> None:
    server.put("AAPL", stock_day(DAY, 230.0))
    later = datetime.now(UTC) + timedelta(hours=2)
    server.answers["AAPL"].append(too_many_requests(format_datetime(later, usegmt=True)))
    retry_after = refused(source).retry_after
    assert retry_after is not None
    assert 7_000 < retry_after <= 7_200


def test_a_server_error_is_transient_and_not_remembered(
    server: YahooServer, source: YahooSource
) -> None:
    server.put("AAPL", stock_day(DAY, 230.0))
    server.answers["AAPL"].append(Answer(503, "<html>down</html>"))
    error = refused(source)
    assert error.transient
    assert "503" in error.reason
    assert "<html>" not in error.reason
    assert len(fetched(source)) == 7


def test_a_page_instead_of_prices_is_transient(server: YahooServer, source: YahooSource) -> None:
    server.put("AAPL", stock_day(DAY, 230.0))
    server.answers["AAPL"].append(Answer(200, "<html>maintenance</html>"))
    assert refused(source).transient


def test_an_answer_without_what_it_should_hold_is_transient(
    server: YahooServer, source: YahooSource
) -> None:
    server.put("AAPL", stock_day(DAY, 230.0))
    body = '{"chart": {"result": [{"meta": {}, "indicators": {"quote": [{"close": [1]}]}}]}}'
    server.answers["AAPL"].append(Answer(200, body))
    error = refused(source)
    assert error.transient
    assert "not understood" in error.reason


def test_a_slow_answer_is_given_up(server: YahooServer) -> None:
    server.put("AAPL", stock_day(DAY, 230.0))
    impatient = YahooSource(LocalSession(server.port, timeout=0.3))
    server.gates["AAPL"] = threading.Event()
    error = refused(impatient)
    assert error.transient
    assert "cannot be reached" in error.reason
    server.gates.pop("AAPL").set()
    patient = YahooSource(LocalSession(server.port))
    assert len(fetched(patient)) == 7


def test_a_network_that_is_down_is_transient() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        source = YahooSource(LocalSession(unused.getsockname()[1]))
        error = refused(source)
    assert error.transient
    assert "cannot be reached" in error.reason


def test_a_later_source_asks_again(server: YahooServer) -> None:
    server.put("AAPL", stock_day(DAY, 230.0))
    first = fetched(YahooSource(LocalSession(server.port)))
    server.put("AAPL", stock_day(DAY, 115.0))
    second = fetched(YahooSource(LocalSession(server.port)))
    assert second.close[0] == first.close[0] / 2


def test_hourly_history_ends_after_two_years(source: YahooSource) -> None:
    assert source.history(CloseInterval.HOUR) == timedelta(days=730)
    assert source.history(CloseInterval.DAY) is None


def test_no_request_is_waited_for_longer_than_the_source_says(
    server: YahooServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put("AAPL", stock_day(DAY, 230.0))
    timeouts: list[float] = []
    send = requests.Session.request

    def recorded(self: Any, method: Any, url: str, **parameters: Any) -> Any:
        timeouts.append(parameters["timeout"])
        return send(self, method, url, **parameters)

    monkeypatch.setattr(requests.Session, "request", recorded)
    fetched(YahooSource(LocalSession(server.port, timeout=5)))
    assert len(timeouts) >= 2  # also those by which yfinance gets ready
    assert set(timeouts) == {5}


def test_every_request_takes_its_turn_and_a_rate_limit_holds_all_back(
    server: YahooServer,
) -> None:
    server.put("AAPL", stock_day(DAY, 230.0))
    moments = [0.0]
    pacer = RequestPacer(
        4, clock=lambda: moments[-1], sleep=lambda seconds: moments.append(moments[-1] + seconds)
    )
    source = YahooSource(LocalSession(server.port, pacer=pacer))
    fetched(source)
    assert len(moments) >= 2
    assert np.diff(moments).max() == pytest.approx(0.25)
    server.answers["MSFT"].append(too_many_requests("7"))
    server.put("MSFT", stock_day(DAY, 420.0))
    refused(source, "MSFT")
    fetched(source, "AAPL", days=2)
    assert np.diff(moments).max() == pytest.approx(7)


def test_prices_come_also_without_a_crumb(server: YahooServer, source: YahooSource) -> None:
    server.put("AAPL", stock_day(DAY, 230.0))
    server.crumb = too_many_requests()
    assert len(fetched(source)) == 7
