"""Yahoo's company data for the real yfinance client: quote summary, holders and statements."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.adapters.json_server import Answer, JsonServer, Request, json_answer


@dataclass
class YahooCompanyServer(JsonServer):
    """What the server holds.

    Attributes:
        modules: By symbol and module of the quote summary.
        statements: Values by symbol, and by type (`quarterlyTotalRevenue`) and date.
        answers: Answers to give to the next requests for the symbol's summary.
    """

    modules: dict[str, dict[str, Any]] = field(default_factory=dict)
    statements: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    answers: deque[Answer] = field(default_factory=deque)

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def answer(self, request: Request) -> Answer:
        parts = request.path.strip("/").split("/")
        if request.path == "/v1/test/getcrumb":
            return Answer(200, "crumb")
        if request.path.startswith("/v10/finance/quoteSummary/"):
            return self.answers.popleft() if self.answers else self._summary(parts[-1], request)
        if request.path.startswith("/v7/finance/quote"):
            return json_answer({"quoteResponse": {"result": [], "error": None}})
        if "/timeseries/" in request.path:
            return self._timeseries(parts[-1], request.query["type"].split(","))
        return Answer(200, "<html></html>")

    def _summary(self, symbol: str, request: Request) -> Answer:
        if symbol not in self.modules:
            error = {"code": "Not Found", "description": f"Quote not found for symbol: {symbol}"}
            return json_answer({"quoteSummary": {"result": None, "error": error}}, 404)
        wanted = request.query["modules"].split(",")
        result = {
            name: self.modules[symbol][name] for name in wanted if name in self.modules[symbol]
        }
        # A copy: yfinance changes what it was given.
        return Answer(200, json.dumps({"quoteSummary": {"result": [result], "error": None}}))

    def _timeseries(self, symbol: str, types: list[str]) -> Answer:
        held = self.statements.get(symbol, {})
        result = [
            {
                "meta": {"symbol": [symbol], "type": [name]},
                "timestamp": [_seconds(day) for day in held[name]],
                name: [
                    {"asOfDate": day, "reportedValue": {"raw": value, "fmt": str(value)}}
                    for day, value in held[name].items()
                ],
            }
            for name in types
            if name in held
        ]
        return json_answer({"timeseries": {"result": result, "error": None}})


def _seconds(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
