"""Local servers that speak the vendors' streams of trades as far as we use them.

Alpaca's speaks MessagePack to a client that says so in its headers, as alpaca-py does, and JSON to
others; Polygon's speaks JSON alone.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgpack
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

KEY_ID, SECRET = "alpaca-id-1234", "alpaca-secret-5678"
POLYGON_KEY = "polygon-key-1234"


@dataclass
class StreamServer(ABC):
    """What both have in common.

    Attributes:
        port: Where it listens.
        connections: Those that are logged in, with what each asked for.
        logins: How often somebody was let in.
        mute: Whether it neither greets nor answers.
        unknown: Symbols of which it never says that it tells them, since it does not.
        prompt: Unset, it is slow: what it is asked for after the login waits.
    """

    port: int = 0
    connections: dict[ServerConnection, set[str]] = field(default_factory=dict)
    logins: int = 0
    mute: bool = False
    unknown: set[str] = field(default_factory=set)
    prompt: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.prompt.set()

    def handle(self, connection: ServerConnection) -> None:
        try:
            if self.mute:
                connection.recv()
                return
            self.greet(connection)
            if not self.admit(connection, self.loaded(connection, connection.recv())):
                return
            self.logins += 1
            self.connections[connection] = set()
            for message in connection:
                self.prompt.wait()
                self.asked(connection, self.loaded(connection, message))
        except ConnectionClosed:
            pass
        finally:
            self.connections.pop(connection, None)

    def loaded(self, connection: ServerConnection, message: str | bytes) -> Any:
        return json.loads(message)

    def send(self, connection: ServerConnection, messages: list[dict[str, Any]]) -> None:
        connection.send(json.dumps(messages))

    @abstractmethod
    def greet(self, connection: ServerConnection) -> None:
        """What is said first."""

    @abstractmethod
    def admit(self, connection: ServerConnection, message: dict[str, Any]) -> bool:
        """Whether a login is right, which it answers."""

    @abstractmethod
    def asked(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        """Take a subscription or its end."""

    def subscribed(self) -> set[str]:
        """What anybody asks for now."""
        return set().union(*self.connections.values())

    def trade(self, symbol: str, row: dict[str, Any]) -> None:
        """Tell a trade to all that asked for it."""
        for connection, symbols in list(self.connections.items()):
            if symbol in symbols:
                self.send(connection, [row])

    def drop(self) -> None:
        """Cut all connections without a word."""
        for connection in list(self.connections):
            with suppress(OSError):  # it may be gone by itself
                connection.socket.shutdown(2)


class AlpacaStreamServer(StreamServer):
    """Alpaca's."""

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v2/iex"

    def _packs(self, connection: ServerConnection) -> bool:
        assert connection.request is not None
        return connection.request.headers.get("Content-Type") == "application/msgpack"

    def loaded(self, connection: ServerConnection, message: str | bytes) -> Any:
        return msgpack.unpackb(message) if self._packs(connection) else json.loads(message)

    def send(self, connection: ServerConnection, messages: list[dict[str, Any]]) -> None:
        if not self._packs(connection):
            super().send(connection, messages)
            return
        packed = [dict(message) for message in messages]
        for message in packed:
            if "t" in message:
                moment = datetime.fromisoformat(message["t"])
                message["t"] = msgpack.Timestamp.from_datetime(moment)
        connection.send(msgpack.packb(packed))

    def greet(self, connection: ServerConnection) -> None:
        self.send(connection, [{"T": "success", "msg": "connected"}])

    def admit(self, connection: ServerConnection, message: dict[str, Any]) -> bool:
        if message.get("action") != "auth":
            self.send(connection, [{"T": "error", "code": 401, "msg": "not authenticated"}])
            return False
        if (message.get("key"), message.get("secret")) != (KEY_ID, SECRET):
            self.send(connection, [{"T": "error", "code": 402, "msg": "auth failed"}])
            return False
        self.send(connection, [{"T": "success", "msg": "authenticated"}])
        return True

    def asked(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        symbols = set(message.get("trades", []))
        if message["action"] == "subscribe":
            self.connections[connection] |= symbols - self.unknown
        else:
            self.connections[connection] -= symbols
        state = {"trades": sorted(self.connections[connection]), "quotes": [], "bars": []}
        self.send(connection, [{"T": "subscription"} | state])

    @staticmethod
    def row(symbol: str, at: datetime, price: float, size: float, number: int) -> dict[str, Any]:
        stamp = at.isoformat().replace("+00:00", "Z")
        return {
            "T": "t", "S": symbol, "i": number, "x": "V", "p": price, "s": size, "t": stamp,
            "c": ["@"], "z": "A",
        }  # fmt: skip


class PolygonStreamServer(StreamServer):
    """Polygon's."""

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/stocks"

    def greet(self, connection: ServerConnection) -> None:
        self._say(connection, "connected", "Connected Successfully")

    def admit(self, connection: ServerConnection, message: dict[str, Any]) -> bool:
        if message.get("action") != "auth" or message.get("params") != POLYGON_KEY:
            self._say(connection, "auth_failed", "authentication failed")
            return False
        self._say(connection, "auth_success", "authenticated")
        return True

    def asked(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        for name in message["params"].split(","):
            channel, _, symbol = name.partition(".")
            if channel != "T":
                self._say(connection, "error", "this server knows trades alone")
            elif symbol in self.unknown:
                continue
            elif message["action"] == "subscribe":
                self.connections[connection].add(symbol)
                self._say(connection, "success", f"subscribed to: {name}")
            else:
                self.connections[connection].discard(symbol)
                self._say(connection, "success", f"unsubscribed to: {name}")

    def _say(self, connection: ServerConnection, status: str, words: str) -> None:
        self.send(connection, [{"ev": "status", "status": status, "message": words}])

    @staticmethod
    def row(symbol: str, at: datetime, price: float, size: float, number: int) -> dict[str, Any]:
        return {
            "ev": "T", "sym": symbol, "x": 4, "i": str(number), "z": 3, "p": price, "s": size,
            "c": [0, 12], "t": round(at.timestamp() * 1000), "q": number,
        }  # fmt: skip


@contextmanager
def running(server: StreamServer) -> Iterator[StreamServer]:
    """The server on a port of its own, on the loopback interface."""
    with serve(server.handle, "127.0.0.1", 0, compression=None) as listening:
        server.port = listening.socket.getsockname()[1]
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield server
        server.drop()
        listening.shutdown()
        thread.join()
