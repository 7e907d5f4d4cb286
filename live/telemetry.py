"""What a live process tells of itself: numbers for Prometheus, and whether it lives and is ready.

One small HTTP server for each process, off unless it is given a port. `/metrics` is for
Prometheus, `/live` for what restarts a process that hangs, `/ready` for what sends work to it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

LAG_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Seconds; the promises of latency lie between them."""

HANGS_AFTER = 60.0
"""Seconds without a turn of its loop after which a process counts as hanging."""


class Telemetry:
    """The numbers of one process.

    Args:
        service: The process's name, e.g. `windows`.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        here = self.registry
        self._received = Counter(
            "trading_events_received", "Events read from a stream.",
            ["service", "stream"], registry=here,
        )  # fmt: skip
        self._published = Counter(
            "trading_events_published", "Events written to a stream.",
            ["service", "stream"], registry=here,
        )  # fmt: skip
        self._errors = Counter(
            "trading_errors", "Things that went wrong and were dealt with.",
            ["service", "kind"], registry=here,
        )  # fmt: skip
        self._lag = Histogram(
            "trading_lag_seconds", "From when something happened to when it was dealt with.",
            ["service"], registry=here, buckets=LAG_BUCKETS,
        )  # fmt: skip
        self._turn = Gauge(
            "trading_last_turn_seconds", "When its loop last turned.", ["service"], registry=here
        )
        self._ready = Gauge(
            "trading_ready", "Whether it does its work.", ["service"], registry=here
        )
        self._ready.labels(service).set(0)
        self._turned = time.monotonic()
        self._is_ready = False

    def received(self, stream: str, count: int = 1) -> None:
        """Count events that were read."""
        self._received.labels(self.service, stream).inc(count)

    def published(self, stream: str, count: int = 1) -> None:
        """Count events that were written."""
        self._published.labels(self.service, stream).inc(count)

    def error(self, kind: str) -> None:
        """Count something that went wrong, by a word from a small set."""
        self._errors.labels(self.service, kind).inc()

    def lag(self, seconds: float) -> None:
        """Note how late something was dealt with."""
        self._lag.labels(self.service).observe(max(0.0, seconds))

    def turn(self, *, ready: bool = True) -> None:
        """Say that the loop turns, and whether it does its work."""
        self._turned = time.monotonic()
        self._is_ready = ready
        self._turn.labels(self.service).set_to_current_time()
        self._ready.labels(self.service).set(int(ready))

    @property
    def is_alive(self) -> bool:
        """Whether the loop has turned lately."""
        return time.monotonic() - self._turned < HANGS_AFTER

    @property
    def is_ready(self) -> bool:
        """Whether the process does its work."""
        return self.is_alive and self._is_ready


class ErrorCounter(logging.Handler):
    """Counts what is logged as a warning or worse, by its level.

    Args:
        telemetry: Where it is counted.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__(logging.WARNING)
        self._telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        """Count one."""
        self._telemetry.error(record.levelname.lower())


@contextlib.contextmanager
def served(telemetry: Telemetry, port: int | None, host: str = "127.0.0.1") -> Iterator[int | None]:
    """Answer on a port for the time of the block.

    Args:
        telemetry: What is told.
        port: Where to listen; 0 takes a free one, None does not listen.
        host: Whose address to listen on.

    Yields:
        The port.

    Raises:
        OSError: Somebody else has the port.
    """
    if port is None:
        yield None
        return
    with ThreadingHTTPServer((host, port), _handler(telemetry)) as server:
        thread = threading.Thread(target=server.serve_forever, name="telemetry", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _handler(telemetry: Telemetry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(telemetry.registry), CONTENT_TYPE_LATEST)
            elif self.path in {"/live", "/ready"}:
                well = telemetry.is_alive if self.path == "/live" else telemetry.is_ready
                self._answer(200 if well else 503, b"ok\n" if well else b"not now\n", "text/plain")
            else:
                self._answer(404, b"not found\n", "text/plain")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing: a look every few seconds is no news."""

    return Handler
