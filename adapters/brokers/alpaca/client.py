"""Requests to Alpaca's trading interface: bounded in time, each failure of a known kind.

Its own client waits for good for a server that hangs and sends an order again by itself, so this
is another one. Nothing is tried again here: whoever sent an order decides what a failure means.

https://docs.alpaca.markets/reference/postorder
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Literal

import httpx
from pydantic import SecretStr

from adapters.brokers.errors import (
    BrokerAccessError,
    DuplicateOrderError,
    OrderRejectedError,
    OutcomeUnknownError,
)
from adapters.market_data.pacing import retry_after_seconds
from adapters.market_data.rest.client import MAX_WORDS, HeaderKeys, Patience, checked_key

PAPER_URL = "https://paper-api.alpaca.markets"
LIVE_URL = "https://api.alpaca.markets"

PATIENCE = Patience(connect=3.0, read=5.0, answer=10.0)
"""An order is worth no longer wait: what came of it is looked up."""

MAX_ANSWER_BYTES = 16 * 2**20

_TAKEN = "client_order_id must be unique"

Method = Literal["GET", "POST", "DELETE"]


class AlpacaClient:
    """Sends requests with the account's keys.

    Args:
        key_id: The key's name.
        secret_key: The key.
        url: Where the interface is.
        patience: How long an answer may take.
        transport: What carries the requests; None for the network.

    Raises:
        ParameterError: A key is missing, or no key.
    """

    def __init__(
        self,
        key_id: SecretStr | None,
        secret_key: SecretStr | None,
        url: str = PAPER_URL,
        patience: Patience = PATIENCE,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        key = checked_key("alpaca_key_id", key_id, "a key ID of Alpaca")
        secret = checked_key("alpaca_secret_key", secret_key, "a secret key of Alpaca")
        self.url = url.rstrip("/")
        self.keys = {"key": key, "secret": secret}
        self._auth = HeaderKeys({"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret})
        self._patience = patience
        timeout = httpx.Timeout(patience.read, connect=patience.connect)
        # A redirect would carry the keys to a host that nobody named.
        self._http = httpx.Client(
            auth=self._auth, timeout=timeout, follow_redirects=False, transport=transport
        )

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def ask(
        self,
        method: Method,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """The answer to one request; None where it is empty or says that there is no such thing.

        Raises:
            OutcomeUnknownError: There is no usable answer: a time-out, a lost connection, 429, 5xx.
            OrderRejectedError: 403 or 422, or another refusal.
            DuplicateOrderError: The client order id is taken.
            BrokerAccessError: The keys are refused.
        """
        try:
            status, wait, answer = self._answer(method, path, query, body)
        except httpx.HTTPError as error:
            # What httpx raised holds the request, keys and all: it is not chained.
            raise OutcomeUnknownError(f"Alpaca did not answer ({type(error).__name__})") from None
        if status == httpx.codes.NOT_FOUND:
            return None
        if status >= httpx.codes.BAD_REQUEST:
            raise self._refusal(status, wait, answer)
        if not answer:
            return None
        try:
            return json.loads(answer)
        except ValueError:
            raise OutcomeUnknownError("Alpaca's answer is no JSON, or was cut short") from None

    def _answer(
        self,
        method: Method,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
    ) -> tuple[int, float | None, bytes]:
        """Status, seconds to wait and body; httpx bounds no answer as a whole."""
        deadline = time.monotonic() + self._patience.answer
        received = bytearray()
        url = f"{self.url}{path}"
        with self._http.stream(method, url, params=query, json=body) as response:
            for piece in response.iter_bytes():
                received += piece
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer takes too long")
                if len(received) > MAX_ANSWER_BYTES:
                    raise httpx.DecodingError("the answer is too large")
            wait = retry_after_seconds(response.headers.get("Retry-After"))
            return response.status_code, wait, bytes(received)

    def _refusal(self, status: int, wait: float | None, answer: bytes) -> Exception:
        words = self._auth.removed_from(_explanation(answer))
        said = f"HTTP {status}{': ' if words else ''}{words}"
        if status == httpx.codes.UNAUTHORIZED:
            return BrokerAccessError(f"Alpaca refuses the keys ({said}); correct them.")
        unknown = status in {408, 425, 429} or status >= httpx.codes.INTERNAL_SERVER_ERROR
        if unknown:
            return OutcomeUnknownError(f"Alpaca did not say what came of it ({said})", wait)
        if _TAKEN in words:
            return DuplicateOrderError(said)
        return OrderRejectedError(said)


def _explanation(answer: bytes) -> str:
    """Alpaca's explanation of a refusal, one bounded line; none of an HTML page."""
    try:
        told = json.loads(answer)
    except ValueError:
        return ""
    words = told.get("message", "") if isinstance(told, dict) else ""
    return ascii(" ".join(str(words).split()))[1:-1][:MAX_WORDS]
