"""A local server that speaks the part of Polygon's (Massive's) REST interface that we use.

Bars are asked for by `/v2/aggs/ticker/...`; splits, dividends and tickers are tables. All come in
pages of `page_size` rows, the next one named by `next_url` on a host that does not exist: a client
has to ask the host that it was given.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from tests.adapters.json_server import Answer, JsonServer, Request, json_answer

KEY = "polygon-key-123456"

_AGGREGATES = re.compile(r"/v2/aggs/ticker/([^/]+)/range/1/(minute|day)/([^/]+)/([^/]+)")


@dataclass(frozen=True)
class Bar:
    """A raw bar; `adjusted` halves its prices, as a later split would."""

    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float | None = None
    trades: int | None = None

    def row(self, *, adjusted: bool) -> dict[str, Any]:
        factor = 0.5 if adjusted else 1.0
        row: dict[str, Any] = {
            "t": int(self.start.timestamp() * 1000),
            "o": self.open * factor,
            "h": self.high * factor,
            "l": self.low * factor,
            "c": self.close * factor,
            "v": self.volume / factor,
        }
        if self.vwap is not None:
            row["vw"] = self.vwap * factor
        if self.trades is not None:
            row["n"] = self.trades
        return row


@dataclass
class PolygonServer(JsonServer):
    """What the server holds.

    Attributes:
        bars: By ticker and timespan.
        tables: Rows by path.
        page_size: Most rows of a page.
        changes: Keys to set in the next pages of bars.
    """

    bars: dict[tuple[str, str], list[Bar]] = field(default_factory=lambda: defaultdict(list))
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    page_size: int = 1_000
    changes: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def answer(self, request: Request) -> Answer:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return json_answer({"status": "ERROR", "error": "Unknown API Key"}, 401)
        asked = _AGGREGATES.fullmatch(request.path)
        if asked:
            return json_answer(self._aggregates(request, asked))
        if request.path in self.tables:
            return json_answer(self._table(request))
        return json_answer({"status": "NOT_FOUND", "message": "page not found"}, 404)

    def _aggregates(self, request: Request, asked: re.Match[str]) -> dict[str, Any]:
        ticker, timespan, first, last = asked.groups()
        adjusted = request.query.get("adjusted", "true") == "true"
        since, until = _moment(first, end=False), _moment(last, end=True)
        rows = [
            bar.row(adjusted=adjusted)
            for bar in sorted(self.bars[ticker, timespan], key=lambda bar: bar.start)
            if since <= bar.start <= until
        ]
        size = min(self.page_size, int(request.query.get("limit", "5000")))
        page = self._page(request, rows, size)
        page |= {"ticker": ticker, "adjusted": adjusted, "queryCount": len(page["results"])}
        page |= {"resultsCount": len(page["results"]), "count": len(page["results"])}
        if not page["results"]:
            del page["results"]
        return page | (self.changes.pop(0) if self.changes else {})

    def _table(self, request: Request) -> dict[str, Any]:
        rows = [row for row in self.tables[request.path] if _matches(row, request.query)]
        return self._page(request, rows, min(self.page_size, int(request.query.get("limit", "10"))))

    def _page(self, request: Request, rows: list[dict[str, Any]], size: int) -> dict[str, Any]:
        begin = int(request.query.get("cursor", "0"))
        page: dict[str, Any] = {
            "status": "OK",
            "request_id": "1",
            "results": rows[begin : begin + size],
        }
        if begin + size < len(rows):
            query = urlencode(request.query | {"cursor": str(begin + size)})
            page["next_url"] = f"https://api.polygon.invalid{request.path}?{query}"
        return page


def _moment(text: str, *, end: bool) -> datetime:
    """A bound of a range: milliseconds, or a date, which is that whole New York day."""
    if text.isdigit():
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    day = date.fromisoformat(text)
    return datetime(day.year, day.month, day.day, 23 if end else 0, tzinfo=UTC)


def _matches(row: dict[str, Any], query: dict[str, str]) -> bool:
    for name, value in query.items():
        column, _, operator = name.partition(".")
        if column not in row:
            continue
        held = str(row[column]).lower() if isinstance(row[column], bool) else str(row[column])
        right = {"": held == value, "gte": held >= value, "lte": held <= value}[operator]
        if not right:
            return False
    return True
