"""A local server that speaks NewsAPI's `/v2/everything`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.adapters.json_server import Answer, JsonServer, Request, json_answer

KEY = "newsapi-key-1234"


@dataclass
class NewsApiServer(JsonServer):
    """What the server holds.

    Attributes:
        articles: Rows as they are sent.
        total: How many it says there are; None for as many as there are.
    """

    articles: list[dict[str, Any]] = field(default_factory=list)
    total: int | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def answer(self, request: Request) -> Answer:
        known = {name.lower(): value for name, value in request.headers.items()}
        if known.get("x-api-key") != KEY:
            content = {"status": "error", "code": "apiKeyInvalid", "message": "Your key is invalid"}
            return json_answer(content, 401)
        if request.path != "/v2/everything":
            return json_answer({"status": "error", "message": "no such endpoint"}, 404)
        query = request.query
        phrase = query["q"].strip('"').lower()
        found = [
            row
            for row in self.articles
            if phrase in f"{row['title']} {row['description']} {row.get('content', '')}".lower()
            and query["from"] <= row["publishedAt"].rstrip("Z") <= query["to"]
        ]
        size = int(query["pageSize"])
        begin = size * (int(query["page"]) - 1)
        total = len(found) if self.total is None else self.total
        page = found[begin : begin + size]
        return json_answer({"status": "ok", "totalResults": total, "articles": page})
