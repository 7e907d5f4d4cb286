"""A local server that speaks the part of Alpaca's market data interface that we use.

Bars (`/v2/stocks/bars`) and corporate actions (`/v1/corporate-actions`) come in pages, the next one
named by `next_page_token`; assets (`/v2/assets`) at once.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.adapters.json_server import Answer, JsonServer, Request, json_answer

KEY_ID, SECRET = "alpaca-id-1234", "alpaca-secret-5678"

_TABLES = {
    "forward_split": "forward_splits",
    "reverse_split": "reverse_splits",
    "stock_dividend": "stock_dividends",
    "cash_dividend": "cash_dividends",
}


@dataclass
class AlpacaServer(JsonServer):
    """What the server holds.

    Attributes:
        bars: Rows as they are sent, by symbol, timeframe and feed; raw.
        actions: Rows as they are sent, by table, e.g. `forward_splits`.
        assets: Rows as they are sent.
        page_size: Most rows of a page.
        changes: Keys to set in the next pages.
        dropped: Keys to leave out of every page.
    """

    bars: dict[tuple[str, str, str], list[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    actions: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    assets: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 1_000
    changes: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def answer(self, request: Request) -> Answer:
        known = {name.lower(): value for name, value in request.headers.items()}
        if (known.get("apca-api-key-id"), known.get("apca-api-secret-key")) != (KEY_ID, SECRET):
            return json_answer({"message": "forbidden."}, 403)
        if request.path == "/v2/stocks/bars":
            return self._changed(self._bars(request.query))
        if request.path == "/v1/corporate-actions":
            return self._changed(self._actions(request.query))
        if request.path == "/v2/assets":
            status = request.query.get("status")
            return json_answer([row for row in self.assets if status in (None, row["status"])])
        return json_answer({"message": "endpoint not found."}, 404)

    def _changed(self, page: dict[str, Any]) -> Answer:
        page |= self.changes.pop(0) if self.changes else {}
        return json_answer({key: page[key] for key in page if key not in self.dropped})

    def _bars(self, query: dict[str, str]) -> dict[str, Any]:
        feed, timeframe = query.get("feed", "sip"), query["timeframe"]
        factor = 1.0 if query.get("adjustment", "raw") == "raw" else 0.5
        rows = [
            (symbol, {**row, **{name: row[name] * factor for name in "ohlc"}})
            for symbol in query["symbols"].split(",")
            for row in self.bars[symbol, timeframe, feed]
            if _moment(query["start"]) <= _moment(row["t"]) <= _moment(query["end"])
        ]
        page, token = self._page(rows, query)
        bars: dict[str, list[dict[str, Any]]] = {}
        for symbol, row in page:
            bars.setdefault(symbol, []).append(row)
        return {"bars": bars, "next_page_token": token}

    def _actions(self, query: dict[str, str]) -> dict[str, Any]:
        tables = [_TABLES[name] for name in query["types"].split(",")] if "types" in query else []
        rows = [
            (table, row)
            for table in tables or list(self.actions)
            for row in self.actions[table]
            if row["symbol"] in query["symbols"].split(",")
            and query.get("start", "0") <= row["process_date"] <= query.get("end", "9")
        ]
        page, token = self._page(rows, query)
        actions: dict[str, list[dict[str, Any]]] = {}
        for table, row in page:
            actions.setdefault(table, []).append(row)
        return {"corporate_actions": actions, "next_page_token": token}

    def _page(
        self, rows: list[tuple[str, dict[str, Any]]], query: dict[str, str]
    ) -> tuple[list[tuple[str, dict[str, Any]]], str | None]:
        begin = int(query.get("page_token", "0"))
        end = begin + min(self.page_size, int(query.get("limit", "1000")))
        return rows[begin:end], str(end) if end < len(rows) else None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
