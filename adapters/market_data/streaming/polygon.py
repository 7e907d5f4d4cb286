"""Polygon's (Massive's) stream of trades.

https://polygon.io/docs/websocket/stocks/trades
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from pydantic import SecretStr

from adapters.market_data.bar_source import AccessError
from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.client import checked_key
from adapters.market_data.rest.symbols import our_symbol, vendor_symbol
from adapters.market_data.streaming.protocol import Hear, Say, parsed
from trading.events import Tick

URL = "wss://socket.polygon.io/stocks"

_SYMBOLS_AT_ONCE = 500
_MILLISECOND = 1_000_000
_FINE = frozenset({"connected", "auth_success", "success"})


class PolygonTrades:
    """See `adapters.market_data.streaming.protocol.TradeStream`.

    Args:
        api_key: The key.
        url: Where the stream is.

    Raises:
        ParameterError: The key is missing, or no key.
    """

    name = "Polygon"

    def __init__(self, api_key: SecretStr | None, *, url: str = URL) -> None:
        self._api_key = checked_key("polygon_api_key", api_key, "a key of Polygon (Massive)")
        self.url = url

    def log_in(self, say: Say, hear: Hear) -> None:
        """Wait to be greeted, and send the key."""
        self._expect(hear(), "connected")
        say(json.dumps({"action": "auth", "params": self._api_key.get_secret_value()}))
        self._expect(hear(), "auth_success")

    def subscribe(self, symbols: Collection[str]) -> Sequence[str]:
        """A message for some hundred symbols each."""
        return self._asked("subscribe", symbols)

    def unsubscribe(self, symbols: Collection[str]) -> Sequence[str]:
        """A message for some hundred symbols each."""
        return self._asked("unsubscribe", symbols)

    def confirmed(self, message: str | bytes) -> Collection[str]:
        """It answers for each symbol by itself."""
        names: set[str] = set()
        for one in parsed(message, self.name):
            if one.get("ev") == "T":
                names.add(str(one.get("sym")))
            elif one.get("status") == "success":
                _, is_there, name = str(one.get("message")).partition("subscribed to: T.")
                names |= {name} if is_there and "unsubscribed" not in one["message"] else set()
        return {symbol for name in names if (symbol := our_symbol(name)) is not None}

    def ticks(self, message: str | bytes) -> Sequence[Tick]:
        """The trades of a message."""
        found = []
        for one in parsed(message, self.name):
            if one.get("ev") == "status" and one.get("status") not in _FINE:
                raise self._error(one)
            if one.get("ev") == "T" and (tick := _tick(one)) is not None:
                found.append(tick)
        return found

    def _asked(self, action: str, symbols: Collection[str]) -> list[str]:
        names = sorted(f"T.{vendor_symbol(symbol)}" for symbol in symbols)
        parts = (
            names[first : first + _SYMBOLS_AT_ONCE]
            for first in range(0, len(names), _SYMBOLS_AT_ONCE)
        )
        return [json.dumps({"action": action, "params": ",".join(part)}) for part in parts]

    def _expect(self, message: str | bytes, status: str) -> None:
        said = parsed(message, self.name)
        for one in said:
            if one.get("ev") == "status" and one.get("status") not in _FINE:
                raise self._error(one)
        if not any(one.get("status") == status for one in said):
            raise SourceError("stream", f"Polygon did not say {status}", transient=True)

    def _error(self, one: dict[str, Any]) -> SourceError:
        words = f"Polygon's stream refuses: {str(one.get('message'))[:80]} ({one.get('status')})"
        if str(one.get("status")).startswith(("auth_", "not_authorized")):
            return AccessError("polygon_api_key", f"{words}; correct TRADING_POLYGON_API_KEY")
        return SourceError("stream", words, transient=True)


def _tick(one: dict[str, Any]) -> Tick | None:
    """A trade; None for one of an instrument that we have no name for.

    Raises:
        SourceError: It lacks something.
    """
    try:
        symbol = our_symbol(str(one["sym"]))
        ts, number = int(one["t"]) * _MILLISECOND, int(one["q"])
        price, size = float(one["p"]), float(one["s"])
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            "stream", f"a trade of Polygon lacks something ({error})", transient=True
        ) from error
    return None if symbol is None else Tick(symbol, ts, price, size, number)
