"""A webhook that keeps what it is sent."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Received:
    """What came.

    Attributes:
        port: Where the webhook listens.
        messages: Title and text of each notification, in order.
    """

    port: int
    messages: list[tuple[str, str]] = field(default_factory=list)

    @property
    def channel(self) -> str:
        """What `TRADING_NOTIFY` has to be to send here."""
        return f"hook=json://127.0.0.1:{self.port}/"


@contextlib.contextmanager
def webhook() -> Iterator[Received]:
    """The webhook, listening until the end of the block."""
    received = Received(0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.messages.append((body["title"], body["message"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: what came is what counts."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, name="webhook")
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()
