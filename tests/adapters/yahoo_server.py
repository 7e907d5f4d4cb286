"""A local HTTP server that speaks Yahoo Finance's chart API, for the real yfinance client.

It answers what yfinance asks for: the cookie page, the crumb, and `/v8/finance/chart/SYMBOL`.
What it holds, refuses or delays is set per symbol by the test.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from curl_cffi import requests

from adapters.market_data.pacing import RequestPacer
from adapters.market_data.yahoo_session import YahooSession

NEW_YORK = ZoneInfo("America/New_York")
CHICAGO = ZoneInfo("America/Chicago")

Row = tuple[float | None, float | None, float | None, float | None, float | None]
"""Open, high, low, close, volume."""

Closes = Mapping[datetime, float | None]
"""Closes by bar start; each stands for open, high, low and volume as well."""


@dataclass(frozen=True)
class Answer:
    """An answer to one request for prices in place of the right one."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def not_found(symbol: str) -> Answer:
    return _error(404, "Not Found", "No data found, symbol may be delisted")


def no_bars() -> Answer:
    return _error(400, "Bad Request", "Data doesn't exist for startDate = 1, endDate = 2")


def too_many_requests(retry_after: str | None = None) -> Answer:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Answer(429, "Edge: Too Many Requests", headers)


def _error(status: int, code: str, description: str) -> Answer:
    error = {"code": code, "description": description}
    return Answer(status, json.dumps({"chart": {"result": None, "error": error}}))


@dataclass(frozen=True)
class PriceRequest:
    symbol: str
    start: datetime
    end: datetime
    interval: str


class YahooServer:
    """What the server holds and what it was asked.

    Attributes:
        closes: Closes by symbol and interval, by bar start; adjusted for splits.
        rows: Whole rows, as `closes`; they come before a close of the same start.
        splits: Splits by symbol: when, and the ratio new shares per old one.
        dividends: Dividends by symbol: when, and the amount, adjusted for splits.
        answers: Answers to give, in order, to the next requests for prices of a symbol.
        always: Answer to give to every request for prices of a symbol.
        gates: Requests for prices of a symbol are not answered before its event is set.
        requests: The requests for prices so far, those refused included.
        crumb: Answer to the request for a crumb, which yfinance sends along with others.
    """

    def __init__(self) -> None:
        self.closes: dict[tuple[str, str], dict[datetime, float | None]] = defaultdict(dict)
        self.rows: dict[tuple[str, str], dict[datetime, Row]] = defaultdict(dict)
        self.splits: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
        self.dividends: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
        self.answers: dict[str, deque[Answer]] = defaultdict(deque)
        self.always: dict[str, Answer] = {}
        self.gates: dict[str, threading.Event] = {}
        self.requests: list[PriceRequest] = []
        self.crumb = Answer(200, "crumb")
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.port: int = self._http.server_address[1]

    @contextmanager
    def running(self) -> Iterator[YahooServer]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            for gate in self.gates.values():
                gate.set()
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def put(self, symbol: str, closes: Closes, interval: str = "1h") -> None:
        self.closes[symbol, interval].update(closes)

    def put_rows(self, symbol: str, rows: Mapping[datetime, Row], interval: str) -> None:
        self.rows[symbol, interval].update(rows)

    def asked(self, symbol: str) -> list[PriceRequest]:
        return [request for request in self.requests if request.symbol == symbol]

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/v1/test/getcrumb":
            return self.crumb
        if not path.startswith("/v8/finance/chart/"):
            return Answer(200, "<html></html>")
        symbol = path.rsplit("/", 1)[1]
        if "period1" not in query:  # yfinance asks for a symbol's time zone this way
            known = any(name == symbol for name, _ in (*self.closes, *self.rows))
            body = json.dumps(_chart(symbol, "1d", {}))
            return Answer(200, body) if known else self.always.get(symbol, not_found(symbol))
        request = _price_request(symbol, query)
        self.requests.append(request)
        if symbol in self.gates:
            self.gates[symbol].wait()
        if self.answers[symbol]:
            return self.answers[symbol].popleft()
        return self.always.get(symbol) or self._prices(request)

    def _prices(self, request: PriceRequest) -> Answer:
        key = (request.symbol, request.interval)
        every = {start: (close,) * 5 for start, close in self.closes[key].items()} | self.rows[key]
        rows = {s: row for s, row in sorted(every.items()) if request.start <= s < request.end}
        chart = _chart(request.symbol, request.interval, rows)
        events: dict[str, list[dict[str, Any]]] = {
            "splits": [
                {"date": at, "numerator": ratio, "denominator": 1, "splitRatio": f"{ratio}:1"}
                for at, ratio in _within(self.splits[request.symbol], request)
            ],
            "dividends": [
                {"date": at, "amount": amount}
                for at, amount in _within(self.dividends[request.symbol], request)
            ],
        }
        chart["chart"]["result"][0]["events"] = {
            kind: {str(event["date"]): event for event in found}
            for kind, found in events.items()
            if found
        }
        return Answer(200, json.dumps(chart))


def _within(events: list[tuple[datetime, float]], request: PriceRequest) -> list[tuple[int, float]]:
    return [(int(at.timestamp()), value) for at, value in events if request.start <= at]


def _price_request(symbol: str, query: dict[str, str]) -> PriceRequest:
    start, end = (
        datetime.fromtimestamp(int(query[name]), NEW_YORK) for name in ("period1", "period2")
    )
    return PriceRequest(symbol, start, end, query["interval"])


def _chart(symbol: str, interval: str, rows: Mapping[datetime, Row]) -> dict[str, Any]:
    zone = CHICAGO if symbol == "^VIX" else NEW_YORK
    meta: dict[str, Any] = {
        "currency": "USD",
        "symbol": symbol,
        "instrumentType": "INDEX" if symbol.startswith("^") else "EQUITY",
        "exchangeTimezoneName": zone.key,
        "priceHint": 2,
        "dataGranularity": interval,
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "max"],
    }
    result: dict[str, Any] = {"meta": meta, "indicators": {"quote": [{}]}}
    if rows:
        days = sorted({start.astimezone(zone).date() for start in rows})
        if interval != "1d":
            meta["tradingPeriods"] = [[_period(symbol, day)] for day in days]
        result["timestamp"] = [int(start.timestamp()) for start in rows]
        names = ("open", "high", "low", "close", "volume")
        columns = {name: [row[i] for row in rows.values()] for i, name in enumerate(names)}
        result["indicators"]["quote"] = [columns]
        if interval == "1d":
            result["indicators"]["adjclose"] = [{"adjclose": columns["close"]}]
    return {"chart": {"result": [result], "error": None}}


def _period(symbol: str, day: date) -> dict[str, Any]:
    """Regular trading hours: the VIX has its own."""
    zone, opens, closes = (
        (CHICAGO, time(2, 15), time(15, 15))
        if symbol == "^VIX"
        else (NEW_YORK, time(9, 30), time(16))
    )
    start, end = (datetime.combine(day, moment, zone) for moment in (opens, closes))
    return {
        "timezone": start.tzname(),
        "start": int(start.timestamp()),
        "end": int(end.timestamp()),
        "gmtoffset": int((start.utcoffset() or timedelta()).total_seconds()),
    }


def _handler(server: YahooServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            answer = server.answer(unquote(parts.path), query)
            body = answer.body.encode()
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True  # a client that waited long enough is gone

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
            """Nothing: a test says what went wrong."""

    return Handler


class LocalSession(YahooSession):
    """The session of the Yahoo source, with every host replaced by the local server."""

    def __init__(self, port: int, timeout: float = 30.0, pacer: RequestPacer | None = None) -> None:
        super().__init__(pacer=pacer or RequestPacer(100_000), timeout=timeout)
        self._host = f"127.0.0.1:{port}"

    def request(  # type: ignore[override] # as in the parent
        self,
        method: Any,
        url: str,
        **parameters: Any,
    ) -> requests.Response:
        _, _, path, query, _ = urlsplit(url)
        local = urlunsplit(("http", self._host, path, query, ""))
        return super().request(method, local, **parameters)


def hourly(day: date, zone: ZoneInfo, first: time, count: int) -> list[datetime]:
    """`count` bar starts, an hour apart, from a local time on."""
    start = datetime.combine(day, first, zone)
    return [start + timedelta(hours=hour) for hour in range(count)]


def stock_day(day: date, price: float, bars: int = 7) -> dict[datetime, float | None]:
    """The hourly bars of a stock's day: 9:30 to 15:30, a cent dearer each hour."""
    starts = hourly(day, NEW_YORK, time(9, 30), bars)
    return {start: round(price + 0.01 * i, 2) for i, start in enumerate(starts)}


def vix_day(day: date, level: float) -> dict[datetime, float | None]:
    """The hourly bars of the VIX's day: 2:15 to 14:15 Chicago time, a cent more each hour."""
    starts = hourly(day, CHICAGO, time(2, 15), 13)
    return {start: round(level + 0.01 * i, 2) for i, start in enumerate(starts)}
