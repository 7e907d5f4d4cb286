"""Alpaca's stand-in as a real server: REST, and the stream in binary frames, on one port."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.adapters.alpaca_trading import KEY_ID, SECRET, Fault, Json, TradingBooks
from tests.waiting import wait_until

HANG_SECONDS = 30.0


class TradingServer:
    """Serves books.

    Attributes:
        books: What it serves.
        url: Where.
        copies: How often each message of the stream is sent.
    """

    def __init__(self, books: TradingBooks) -> None:
        self.books = books
        self.copies = 1
        self._sockets: set[WebSocket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._released = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        methods = ["GET", "POST", "DELETE", "PATCH"]
        app = Starlette(
            routes=[
                WebSocketRoute("/stream", self._stream),
                Route("/{path:path}", self._serve, methods=methods),
            ]
        )
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))

    @contextmanager
    def running(self) -> Iterator[TradingServer]:
        thread = threading.Thread(target=self._run)
        thread.start()
        self.books.listeners.append(self._told)
        try:
            wait_until(lambda: self._server.started, "the stand-in serves")
            yield self
        finally:
            self.books.listeners.remove(self._told)
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._released.set)
            self.drop_streams()
            self._server.should_exit = True
            thread.join()

    def drop_streams(self) -> None:
        """Break every stream off."""
        assert self._loop is not None
        for stream in list(self._sockets):
            asyncio.run_coroutine_threadsafe(stream.close(1011), self._loop)

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._listener])

        asyncio.run(serve())

    async def _serve(self, request: Request) -> Response:
        keys = request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")
        if keys != (KEY_ID, SECRET):
            return JSONResponse({"message": "unauthorized."}, 401)
        fault = self.books.fault_of(request.method)
        if fault is Fault.RATE:
            return JSONResponse({"message": "too many requests"}, 429)
        if fault is Fault.RESET:
            return Response(status_code=503)
        body = await request.body()
        status, content = self.books.answer(
            request.method, "/" + request.path_params["path"], dict(request.query_params),
            json.loads(body) if body else {},
        )  # fmt: skip
        if fault is Fault.GATEWAY:
            return PlainTextResponse("<html>gateway</html>", 504)
        if fault in {Fault.HANG, Fault.REPLY_LOST}:
            await asyncio.wait_for(self._released.wait(), HANG_SECONDS)
        return Response(status_code=status) if content is None else JSONResponse(content, status)

    async def _stream(self, stream: WebSocket) -> None:
        await stream.accept()
        try:
            asked = json.loads(await self._read(stream))
            data = asked.get("data") or {}
            named = (
                asked.get("key") or data.get("key_id"),
                asked.get("secret") or data.get("secret_key"),
            )
            good = asked["action"] in {"auth", "authenticate"} and named == (KEY_ID, SECRET)
            status = "authorized" if good else "unauthorized"
            data = {"action": "authenticate", "status": status}
            await self._send(stream, {"stream": "authorization", "data": data})
            if not good:
                await stream.close()
                return
            asked = json.loads(await self._read(stream))
            streams = asked["data"]["streams"]
            await self._send(stream, {"stream": "listening", "data": {"streams": streams}})
            self._sockets.add(stream)
            while True:
                await self._read(stream)
        except WebSocketDisconnect:
            return
        finally:
            self._sockets.discard(stream)

    async def _read(self, stream: WebSocket) -> str | bytes:
        message: dict[str, Any] = dict(await stream.receive())
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        return message.get("text") or message.get("bytes") or b""

    def _told(self, message: Json) -> None:
        if self._loop is None:
            return
        for stream in list(self._sockets) * self.copies:
            asyncio.run_coroutine_threadsafe(self._send(stream, message), self._loop)

    async def _send(self, stream: WebSocket, message: Json) -> None:
        await stream.send_bytes(json.dumps(message).encode())


def until_listening(server: TradingServer) -> None:
    wait_until(lambda: bool(server._sockets), "a stream listens")
