"""What the stand-ins of the vendors' JSON interfaces share: a local server with planted faults."""

from __future__ import annotations

import json
import socket
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Answer:
    """An answer to one request.

    Attributes:
        status: The HTTP status.
        body: What is sent.
        headers: Beside the usual ones.
        missing: Bytes that the length announces and that are never sent.
    """

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0


def json_answer(content: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(content))


def too_many_requests(retry_after: str | None = None) -> Answer:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Answer(429, '{"message": "too many requests"}', headers)


@dataclass(frozen=True)
class Request:
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]


class JsonServer(ABC):
    """A server whose right answers `answer` gives, and whose faults the test plants.

    Attributes:
        requests: All requests so far, those refused included.
        faults: Answers to give to the next requests in place of the right ones; None is a right
            one in between.
        gate: No request is answered before it is set.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: deque[Answer | None] = deque()
        self.gate = threading.Event()
        self.gate.set()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """The right answer."""

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            self.gate.set()
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def served(self, request: Request) -> Answer:
        self.requests.append(request)
        self.gate.wait()
        fault = self.faults.popleft() if self.faults else None
        return fault or self.answer(request)


def _handler(server: JsonServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            answer = server.served(Request(unquote(parts.path), query, dict(self.headers.items())))
            body = answer.body.encode()
            try:
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json")
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) + answer.missing))
                self.end_headers()
                self.wfile.write(body)
                if answer.missing:
                    self.close_connection = True
            except ConnectionError:
                self.close_connection = True  # a client that waited long enough is gone

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
            """Nothing: a test says what went wrong."""

    return Handler


@contextmanager
def dripping_server() -> Iterator[str]:
    """A server that begins an answer and then sends a byte now and then, without an end."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_drip, args=(listener, stop))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            # Wakes the thread, should nobody have come.
            socket.create_connection(listener.getsockname()).close()
            thread.join()


def _drip(listener: socket.socket, stop: threading.Event) -> None:
    while not stop.is_set():
        connection, _ = listener.accept()
        with connection:
            try:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not stop.wait(0.02):
                    connection.sendall(b" ")
            except ConnectionError:
                continue
