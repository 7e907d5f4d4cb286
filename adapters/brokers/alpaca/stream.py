"""Alpaca's stream of trade updates: JSON in binary frames.

https://docs.alpaca.markets/docs/websocket-streaming
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from adapters.brokers.alpaca.client import AlpacaClient
from adapters.brokers.alpaca.orders import update_of
from adapters.brokers.errors import BrokerAccessError, OutcomeUnknownError
from adapters.brokers.protocol import OrderUpdate

HANDSHAKE_SECONDS = 10.0

_QUIET = logging.getLogger("adapters.brokers.alpaca.frames")
_QUIET.setLevel(logging.WARNING)
"""What the library writes its frames to when asked for all; the first one holds the keys."""

_MOST = 200
"""Messages that are taken at once."""


class TradeUpdates:
    """The stream, authorised and listening once it is made.

    Args:
        client: Whose account.
        mute_seconds: How long the server may answer no ping before the connection counts as broken.

    Raises:
        OutcomeUnknownError: It cannot be connected.
        BrokerAccessError: The keys are refused.
    """

    def __init__(self, client: AlpacaClient, mute_seconds: float) -> None:
        url = client.url.replace("http", "ws", 1) + "/stream"
        try:
            self._socket: ClientConnection = connect(
                url,
                open_timeout=HANDSHAKE_SECONDS,
                ping_interval=mute_seconds / 2,
                ping_timeout=mute_seconds / 2,
                close_timeout=1.0,
                logger=_QUIET,
            )
        except (OSError, WebSocketException, TimeoutError) as error:
            raise OutcomeUnknownError(_broken(error)) from None
        try:
            self._enter(client)
        except BaseException:
            self._socket.close()
            raise

    def receive(self, wait_seconds: float) -> Sequence[OrderUpdate]:
        """What has come, in order."""
        found: list[OrderUpdate] = []
        wait = wait_seconds
        while len(found) < _MOST:
            message = self._next(wait)
            if message is None:
                break
            wait = 0.0
            if message.get("stream") == "trade_updates":
                found.append(update_of(message.get("data")))
        return found

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _enter(self, client: AlpacaClient) -> None:
        keys = {name: key.get_secret_value() for name, key in client.keys.items()}
        self._send({"action": "auth", **keys})
        answer = self._expected("authorization")
        if answer.get("status") != "authorized":
            raise BrokerAccessError("Alpaca's stream refuses the keys; correct them.")
        self._send({"action": "listen", "data": {"streams": ["trade_updates"]}})
        if "trade_updates" not in self._expected("listening").get("streams", []):
            raise OutcomeUnknownError("Alpaca's stream does not listen to trade updates")

    def _expected(self, stream: str) -> dict[str, Any]:
        deadline = time.monotonic() + HANDSHAKE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            message = self._next(left)
            if message is not None and message.get("stream") == stream:
                data = message.get("data")
                return data if isinstance(data, dict) else {}
        raise OutcomeUnknownError(f"Alpaca's stream did not say {stream} in time")

    def _send(self, message: dict[str, object]) -> None:
        try:
            self._socket.send(json.dumps(message))
        except (OSError, WebSocketException) as error:
            raise OutcomeUnknownError(_broken(error)) from None

    def _next(self, wait_seconds: float) -> dict[str, Any] | None:
        try:
            frame = self._socket.recv(timeout=wait_seconds)
        except TimeoutError:
            return None
        except (OSError, WebSocketException) as error:
            raise OutcomeUnknownError(_broken(error)) from None
        try:
            message = json.loads(frame)
        except ValueError:
            raise OutcomeUnknownError("Alpaca's stream sent what is no JSON") from None
        return message if isinstance(message, dict) else {}


def _broken(error: Exception) -> str:
    # The library's words may repeat the address; its kind says enough.
    return f"Alpaca's stream broke ({type(error).__name__})"
