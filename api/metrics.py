"""What the API measures of itself, for Prometheus."""

from __future__ import annotations

import time

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Measures:
    """The measures of one app."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "trading_api_requests_total", "Requests answered.", ["route", "method", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "trading_api_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.viewers = Gauge(
            "trading_api_stream_viewers", "Open sockets of the stream.", registry=self.registry
        )
        self.dropped = Counter(
            "trading_api_stream_dropped_total", "Sockets that were too slow.",
            registry=self.registry,
        )  # fmt: skip
        self.feed_up = Gauge(
            "trading_api_feed_up", "Whether live events can come.", registry=self.registry
        )
        self.events = Gauge(
            "trading_api_feed_events", "Live events taken in.", registry=self.registry
        )


def exposed(app: FastAPI) -> tuple[bytes, str]:
    """The measures as Prometheus reads them, and their media type."""
    measures: Measures = app.state.measures
    hub = app.state.hub
    measures.feed_up.set(hub.has_feed and hub.lost_since is None)
    measures.events.set(hub.sequence)
    return generate_latest(measures.registry), CONTENT_TYPE_LATEST


class Measured:
    """Measures each request by its route.

    Args:
        app: What comes next.
        measures: Where to.
    """

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note how long it took."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            # The route's pattern: a path that somebody made up would be a series of its own.
            route = getattr(scope.get("route"), "path", "other")
            self._measures.requests.labels(route, scope["method"], str(status)).inc()
            self._measures.seconds.labels(route).observe(time.perf_counter() - began)
