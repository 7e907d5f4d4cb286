"""Yahoo Finance, through yfinance.

yfinance hides most failures: an error status is parsed as if it were an answer, `Retry-After` is
lost, and answers, errors included, are cached for the life of the process. So the requests go
through a session of ours, the one hook that yfinance offers, which paces them and turns an error
status of the price endpoint into an exception before yfinance sees it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np
import yfinance as yf
from curl_cffi import requests
from curl_cffi.requests.session import HttpMethod
from yfinance.exceptions import YFException, YFPricesMissingError, YFRateLimitError

from adapters.market_data.pacing import RequestPacer
from adapters.market_data.protocol import (
    LONGEST_RETRY_AFTER,
    CloseInterval,
    ClosePrices,
    SourceError,
)
from adapters.market_data.yfinance_internals import let_failures_through
from trading.instruments.clock import EXCHANGE_ZONE

PRICES_PATH = "/v8/finance/chart/"

REQUESTS_PER_SECOND = 4.0
"""Yahoo answers 429 from about five requests a second on."""

TIMEOUT_SECONDS = 10.0
"""For any one request, also those of yfinance's own that would wait 30 s for a cookie."""

HOURLY_HISTORY = timedelta(days=730)

NO_BARS = "Data doesn't exist for startDate"
"""How Yahoo begins the error by which it says that a range holds no bars."""


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
        self._pacer = pacer or RequestPacer(REQUESTS_PER_SECOND)
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
        retry_after = _retry_after(response.headers.get("Retry-After"))
        if retry_after is not None and retry_after <= LONGEST_RETRY_AFTER:
            self._pacer.pause(retry_after)
        if PRICES_PATH in url:
            raise YahooRefusedError(response.status_code, _description(response), retry_after)


class YahooSource:
    """Close prices of Yahoo Finance, adjusted for splits (daily ones for dividends as well)."""

    name = "yahoo"
    vix_symbol = "^VIX"
    spx_symbol = "^GSPC"
    max_parallel = 4

    def __init__(self, session: YahooSession | None = None) -> None:
        self._session = session or YahooSession()
        let_failures_through()

    def history(self, interval: CloseInterval) -> timedelta | None:
        """Hourly bars reach back 730 days."""
        return HOURLY_HISTORY if interval is CloseInterval.HOUR else None

    def close_prices(
        self, symbol: str, start: datetime, end: datetime, interval: CloseInterval
    ) -> ClosePrices:
        """The closes of one symbol's bars that start in [start, end), as Yahoo has them.

        Raises:
            SourceError: Yahoo cannot be reached, refuses, or does not know the symbol.
        """
        try:
            frame = yf.Ticker(symbol, session=self._session).history(
                start=start, end=end, interval=interval.value, actions=False
            )
        except YFPricesMissingError as error:
            if (error.yahoo_reason or NO_BARS).startswith(NO_BARS):
                return ClosePrices.empty()
            raise SourceError(symbol, str(error.yahoo_reason)) from error
        except YahooRefusedError as error:
            if error.description.startswith(NO_BARS):
                return ClosePrices.empty()
            raise _refused(symbol, error) from error
        except YFRateLimitError as error:
            raise SourceError(symbol, "Yahoo limits the rate", transient=True) from error
        except OSError as error:
            reason = f"Yahoo cannot be reached ({type(error).__name__})"
            raise SourceError(symbol, reason, transient=True) from error
        except YFException as error:
            raise SourceError(symbol, str(error)) from error
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            # yfinance indexes into the answer unchecked; a maintenance page ends up here.
            reason = f"Yahoo's answer is not understood ({type(error).__name__})"
            raise SourceError(symbol, reason, transient=True) from error
        starts = frame.index
        if interval is CloseInterval.DAY:
            # yfinance says midnight where the exchange is, for the VIX in Chicago.
            starts = starts.tz_localize(None).tz_localize(EXCHANGE_ZONE)
        utc = starts.tz_convert(None).to_numpy().astype("datetime64[ns]")
        return ClosePrices(utc, frame["Close"].to_numpy(dtype=np.float64))


def _refused(symbol: str, error: YahooRefusedError) -> SourceError:
    match error.status:
        case 404:
            reason = f"Yahoo does not know it ({error.description or 'HTTP 404'})"
        case 429:
            reason = "Yahoo limits the rate (HTTP 429)"
        case _:
            reason = f"Yahoo refused ({error})"
    transient = error.status in (408, 425, 429) or error.status >= 500  # noqa: PLR2004
    return SourceError(symbol, reason, transient=transient, retry_after=error.retry_after)


def _description(response: requests.Response) -> str:
    """Yahoo's explanation of an error, bounded: it may as well be a whole HTML page."""
    try:
        description = json.loads(response.content)["chart"]["error"]["description"]
    except (ValueError, LookupError, TypeError):
        return ""
    return str(description)[:200]


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110, 10.2.3): a number or a date."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
