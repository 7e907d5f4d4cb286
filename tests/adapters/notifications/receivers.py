"""A real SMTP server and a webhook, with planted faults."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP


@dataclass
class Mailbox:
    """What an SMTP server got.

    Attributes:
        subjects: Of the mails it took.
        answers: What it says to the next ones instead of taking them.
        refused: Recipients that it does not take.
    """

    subjects: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    port: int = 0

    @property
    def url(self) -> str:
        return (
            f"mailto://127.0.0.1:{self.port}?from=trading@example.com&to=desk@example.com"
            "&mode=insecure"
        )

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answers:
            return self.answers.pop(0)
        message = message_from_bytes(envelope.content, policy=default)
        self.subjects.append(str(message["Subject"]))
        return "250 OK"


@contextmanager
def smtp_server() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    loop = asyncio.new_event_loop()
    starting = loop.create_server(lambda: SMTP(mailbox, loop=loop), "127.0.0.1", 0)
    server = loop.run_until_complete(starting)
    mailbox.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield mailbox
    finally:
        # In its own thread: a connection may be ending there just now.
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass
class Webhook:
    """What a webhook got.

    Attributes:
        bodies: The JSON of the requests it took.
        faults: What it does with the next ones: a status, `hang` after it took it, or `drop`.
        gate: What `hang` waits for.
        on_request: Called after it took a request and before it answers.
    """

    port: int
    bodies: list[dict[str, Any]] = field(default_factory=list)
    faults: list[int | str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    on_request: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"json://user:hunter2@127.0.0.1:{self.port}/hook?rto=0.3"


@contextmanager
def webhook() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fault = hook.faults.pop(0) if hook.faults else 200
            if fault in (200, "hang", "drop"):
                hook.bodies.append(body)
            hook.on_request()
            if fault == "hang":
                hook.gate.wait()
            if fault == "drop":
                self.connection.close()
                return
            try:
                self.send_response(200 if fault == "hang" else int(fault))
                self.send_header("Content-Length", "0")
                self.end_headers()
            except ConnectionError:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
            """Nothing: a test says what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook = Webhook(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hook
    finally:
        hook.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
