"""The session that yfinance sends its requests through: the one hook that it offers.

It paces them, and turns an error status of the price endpoint into an exception before yfinance,
which would parse it as if it were an answer, sees it.
"""

from __future__ import annotations

import json
from typing import Any

from curl_cffi import requests
from curl_cffi.requests.session import HttpMethod

from adapters.market_data.pacing import RequestPacer, retry_after_seconds, shared_pacer
from adapters.market_data.protocol import LONGEST_RETRY_AFTER

HOST = "query2.finance.yahoo.com"

PRICES_PATH = "/v8/finance/chart/"

REQUESTS_PER_SECOND = 4.0
"""Yahoo answers 429 from about five requests a second on, counted by address."""

TIMEOUT_SECONDS = 10.0
"""For any one request, also those of yfinance's own that would wait 30 s for a cookie."""


class YahooRefusedError(OSError):
    """Yahoo answered a request for prices with an error status.

    An `OSError`, so that yfinance takes it for a network failure and lets it through.

    Attributes:
        status: The HTTP status.
        description: Yahoo's own words, or none.
        retry_after: Seconds to wait, from the `Retry-After` header.
    """

    def __init__(self, status: int, description: str, retry_after: float | None) -> None:
        self.status = status
        self.description = description
        self.retry_after = retry_after
        super().__init__(f"HTTP {status} {description}".rstrip())


class YahooSession(requests.Session[requests.Response]):
    """The session that yfinance sends every request through."""

    def __init__(
        self, *, pacer: RequestPacer | None = None, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        # Yahoo answers clients whose TLS handshake is no browser's with 429 at once.
        super().__init__(impersonate="chrome")
        self._pacer = pacer or shared_pacer(HOST, REQUESTS_PER_SECOND)
        self._limit_seconds = timeout

    def request(  # type: ignore[override] # the parent's thirty parameters pass through
        self,
        method: HttpMethod,
        url: str,
        **parameters: Any,  # noqa: ANN401 - see above
    ) -> requests.Response:
        """Send a request in its turn.

        Raises:
            YahooRefusedError: The price endpoint answered with an error status.
        """
        asked: float = parameters.get("timeout") or self._limit_seconds
        parameters["timeout"] = min(asked, self._limit_seconds)
        self._pacer.wait()
        response = super().request(method, url, **parameters)
        # 401 and 403 are yfinance's: it fetches new cookies and asks again.
        if response.status_code >= 400 and response.status_code not in (401, 403):  # noqa: PLR2004
            self._refuse(url, response)
        return response

    def _refuse(self, url: str, response: requests.Response) -> None:
        retry_after = retry_after_seconds(response.headers.get("Retry-After"))
        if retry_after is not None and retry_after <= LONGEST_RETRY_AFTER:
            self._pacer.pause(retry_after)
        if PRICES_PATH in url:
            raise YahooRefusedError(response.status_code, _description(response), retry_after)


def _description(response: requests.Response) -> str:
    """Yahoo's explanation of an error, bounded: it may as well be a whole HTML page."""
    try:
        description = json.loads(response.content)["chart"]["error"]["description"]
    except (ValueError, LookupError, TypeError):
        return ""
    return str(description)[:200]
