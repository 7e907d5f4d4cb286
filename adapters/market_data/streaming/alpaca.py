"""Alpaca's stream of trades.

https://docs.alpaca.markets/docs/real-time-stock-pricing-data
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from pydantic import SecretStr

from adapters.market_data.bar_source import AccessError
from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.client import checked_key
from adapters.market_data.rest.symbols import our_symbol, vendor_symbol
from adapters.market_data.streaming.protocol import Hear, Say, parsed
from trading.events import Tick

URL = "wss://stream.data.alpaca.markets/v2/iex"

_REFUSED = frozenset({401, 402, 403, 404, 409})
"""Not logged in, wrong key, logged in twice, too late, not in the plan."""

_VENUES = 128
"""More than there are letters that name a venue: trades are numbered by each of them."""


class AlpacaTrades:
    """See `adapters.market_data.streaming.protocol.TradeStream`.

    Args:
        key_id: The key's name.
        secret_key: The key.
        url: Where the stream is; it names the feed.

    Raises:
        ParameterError: A key is missing, or no key.
    """

    name = "Alpaca"

    def __init__(
        self, key_id: SecretStr | None, secret_key: SecretStr | None, *, url: str = URL
    ) -> None:
        self._key_id = checked_key("alpaca_key_id", key_id, "a key ID of Alpaca")
        self._secret_key = checked_key("alpaca_secret_key", secret_key, "a secret key of Alpaca")
        self.url = url

    def log_in(self, say: Say, hear: Hear) -> None:
        """Wait to be greeted, and send the keys."""
        self._expect(hear(), "connected")
        keys = {
            "key": self._key_id.get_secret_value(),
            "secret": self._secret_key.get_secret_value(),
        }
        say(json.dumps({"action": "auth"} | keys))
        self._expect(hear(), "authenticated")

    def subscribe(self, symbols: Collection[str]) -> Sequence[str]:
        """One message for all."""
        return self._asked("subscribe", symbols)

    def unsubscribe(self, symbols: Collection[str]) -> Sequence[str]:
        """One message for all."""
        return self._asked("unsubscribe", symbols)

    def confirmed(self, message: str | bytes) -> Collection[str]:
        """It answers with all symbols that it tells from then on."""
        names: set[str] = set()
        for one in parsed(message, self.name):
            if one.get("T") == "subscription":
                names |= set(map(str, one.get("trades") or ()))
            elif one.get("T") == "t":
                names.add(str(one.get("S")))
        return {symbol for name in names if (symbol := our_symbol(name)) is not None}

    def ticks(self, message: str | bytes) -> Sequence[Tick]:
        """The trades of a message."""
        found = []
        for one in parsed(message, self.name):
            if one.get("T") == "error":
                raise self._error(one)
            if one.get("T") == "t" and (tick := _tick(one)) is not None:
                found.append(tick)
        return found

    def _asked(self, action: str, symbols: Collection[str]) -> list[str]:
        names = sorted(vendor_symbol(symbol) for symbol in symbols)
        return [json.dumps({"action": action, "trades": names})] if names else []

    def _expect(self, message: str | bytes, word: str) -> None:
        said = parsed(message, self.name)
        for one in said:
            if one.get("T") == "error":
                raise self._error(one)
        if not any(one.get("T") == "success" and one.get("msg") == word for one in said):
            raise SourceError("stream", f"Alpaca did not say that it is {word}", transient=True)

    def _error(self, one: dict[str, Any]) -> SourceError:
        words = f"Alpaca's stream refuses: {str(one.get('msg'))[:80]} ({one.get('code')})"
        if one.get("code") in _REFUSED:
            return AccessError(
                "alpaca_key_id", f"{words}; correct TRADING_ALPACA_KEY_ID and the secret key"
            )
        return SourceError("stream", words, transient=True)


def _tick(one: dict[str, Any]) -> Tick | None:
    """A trade; None for one of an instrument that we have no name for.

    Raises:
        SourceError: It lacks something.
    """
    try:
        symbol = our_symbol(str(one["S"]))
        stamp = np.datetime64(str(one["t"]).removesuffix("Z"), "ns")
        number = int(one["i"]) * _VENUES + ord(str(one.get("x") or "\0")[0]) % _VENUES
        price, size = float(one["p"]), float(one["s"])
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            "stream", f"a trade of Alpaca lacks something ({error})", transient=True
        ) from error
    return None if symbol is None else Tick(symbol, int(stamp.astype(int)), price, size, number)
