"""A local server that speaks Alpaca's `/v1beta1/news`; their own client proves it faithful."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.adapters.alpaca_server import KEY_ID, SECRET
from tests.adapters.json_server import Answer, JsonServer, Request, json_answer


@dataclass
class AlpacaNewsServer(JsonServer):
    """What the server holds.

    Attributes:
        news: Rows as they are sent.
    """

    news: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def answer(self, request: Request) -> Answer:
        known = {name.lower(): value for name, value in request.headers.items()}
        if (known.get("apca-api-key-id"), known.get("apca-api-secret-key")) != (KEY_ID, SECRET):
            return json_answer({"message": "forbidden."}, 403)
        if request.path != "/v1beta1/news":
            return json_answer({"message": "endpoint not found."}, 404)
        query = request.query
        wanted = set(query["symbols"].split(","))
        begin, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        rows = [
            row
            for row in self.news
            if wanted & set(row["symbols"])
            and begin <= datetime.fromisoformat(row["created_at"]) <= end
        ]
        rows.sort(key=lambda row: row["created_at"], reverse=query.get("sort") != "asc")
        first = int(query.get("page_token", "0"))
        last = first + int(query.get("limit", "10"))
        token = str(last) if last < len(rows) else None
        return json_answer({"news": rows[first:last], "next_page_token": token})
