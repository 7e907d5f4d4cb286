"""A thin client of a vendor's JSON interface: paced, bounded in time, with errors that say why.

httpx limits how long it waits for the next byte, but not how long an answer takes: a server that
sends a byte now and then would hold a thread for good. So an answer has a deadline, and a limit of
size, as a whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import stamina
from pydantic import SecretStr

from adapters.market_data.bar_source import AccessError
from adapters.market_data.pacing import RequestPacer, retry_after_seconds
from adapters.market_data.protocol import LONGEST_RETRY_AFTER, SourceError
from trading.errors import ParameterError

MAX_ANSWER_BYTES = 256 * 2**20
"""50,000 bars take some 7 MB; what is larger is no answer of these interfaces."""

PAUSE = 5.0
"""Seconds for which all wait after a 429 that does not say how long."""

MAX_WORDS = 200
"""Characters of a vendor's own explanation that an error repeats."""

_TRY_AGAIN = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer may take, in seconds.

    Attributes:
        connect: To be connected.
        read: Between two pieces of the answer.
        answer: For the answer as a whole.
    """

    connect: float = 5.0
    read: float = 20.0
    answer: float = 120.0


def checked_key(parameter: str, key: SecretStr | None, what: str) -> SecretStr:
    """Return `key` when it can be sent.

    Args:
        parameter: What the user calls it.
        key: The key.
        what: What it is, for the message.

    Raises:
        ParameterError: It is missing or no text that a header can hold; the message repeats none.
    """
    text = key.get_secret_value() if key is not None else ""
    variable = f"TRADING_{parameter.upper()}"
    if key is None or not text:
        raise ParameterError(parameter, None, what, f"set {variable}, or name another source")
    if not (text.isascii() and text.isprintable()) or " " in text:
        problem = f"{what} (it has blanks or unprintable characters)"
        raise ParameterError(parameter, "**********", problem, f"copy it to {variable} again")
    return key


class HeaderKeys(httpx.Auth):
    """Keys that travel as headers, taken out of their wrapping only when a request leaves."""

    def __init__(self, keys: Mapping[str, SecretStr], prefix: str = "") -> None:
        self._keys = dict(keys)
        self._prefix = prefix

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the headers."""
        for name, key in self._keys.items():
            request.headers[name] = f"{self._prefix}{key.get_secret_value()}"
        yield request

    def removed_from(self, text: str) -> str:
        """The text without any of the keys."""
        for key in self._keys.values():
            text = text.replace(key.get_secret_value(), "**********")
        return text


class JsonClient:
    """Asks one vendor for JSON.

    Args:
        vendor: Its name, for messages.
        keys: What it is asked with.
        pacer: Whose turn it is; shared by all that use the same keys.
        refuses_key: Whether a status with an explanation says that the key is wrong.
        patience: How long to wait.
    """

    def __init__(
        self,
        vendor: str,
        keys: HeaderKeys,
        pacer: RequestPacer,
        refuses_key: Callable[[int, str], bool],
        patience: Patience,
    ) -> None:
        self._vendor = vendor
        self._keys = keys
        self._pacer = pacer
        self._refuses_key = refuses_key
        self._patience = patience
        timeout = httpx.Timeout(patience.read, connect=patience.connect)
        # A redirect would carry the keys to a host that nobody named.
        self._http = httpx.Client(auth=keys, timeout=timeout, follow_redirects=False)

    def get(self, symbol: str, url: str, parameters: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """The answer to a request, sent again while that can help.

        Args:
            symbol: What it is about, for errors.
            url: Without parameters, or with all of them.
            parameters: Of the query; None leaves those of `url`.

        Raises:
            AccessError: The vendor refuses the key.
            SourceError: It refuses otherwise, cannot be reached, or its answer is no JSON.
        """
        return _RETRYING(self._get_once, symbol, url, parameters)

    def _get_once(self, symbol: str, url: str, parameters: Mapping[str, str] | None) -> Any:  # noqa: ANN401 - see above
        self._pacer.wait()
        try:
            status, retry_after, body = self._answer(url, parameters)
        except httpx.HTTPError as error:
            reason = f"{self._vendor} cannot be reached ({type(error).__name__})"
            # What httpx raised holds the request, keys and all: it is not chained.
            raise SourceError(symbol, reason, transient=True) from None
        if status != httpx.codes.OK:
            raise self._refused(symbol, status, retry_after, body)
        try:
            return json.loads(body, parse_constant=_no_number)
        except ValueError:
            reason = f"{self._vendor}'s answer is no JSON, or was cut short"
            raise SourceError(symbol, reason, transient=True) from None

    def _answer(
        self, url: str, parameters: Mapping[str, str] | None
    ) -> tuple[int, float | None, bytes]:
        """Status, seconds to wait and body."""
        deadline = time.monotonic() + self._patience.answer
        body = bytearray()
        with self._http.stream("GET", url, params=parameters) as response:
            for piece in response.iter_bytes():
                body += piece
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer takes too long")
                if len(body) > MAX_ANSWER_BYTES:
                    raise httpx.DecodingError("the answer is too large")
            retry_after = retry_after_seconds(response.headers.get("Retry-After"))
            return response.status_code, retry_after, bytes(body)

    def _refused(
        self, symbol: str, status: int, retry_after: float | None, body: bytes
    ) -> SourceError:
        words = self._keys.removed_from(_explanation(body))
        said = f"HTTP {status}{': ' if words else ''}{words}"
        if self._refuses_key(status, words):
            reason = f"{self._vendor} refuses the key ({said}); correct the key"
            return AccessError(symbol, reason)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            wait = PAUSE if retry_after is None else retry_after
            if wait <= LONGEST_RETRY_AFTER:
                self._pacer.pause(wait)
            reason = f"{self._vendor} limits the rate (HTTP 429)"
        elif status == httpx.codes.NOT_FOUND:
            reason = f"{self._vendor} does not know it ({said})"
        else:
            reason = f"{self._vendor} refused ({said})"
        transient = status in _TRY_AGAIN or status >= httpx.codes.INTERNAL_SERVER_ERROR
        return SourceError(symbol, reason, transient=transient, retry_after=retry_after)


def _explanation(body: bytes) -> str:
    """The vendor's explanation of an error, one bounded line; none of an HTML page."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(answer, dict):
        return ""
    words = answer.get("message") or answer.get("error") or ""
    return ascii(" ".join(str(words).split()))[1:-1][:MAX_WORDS]


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


def _worth_retrying(error: Exception) -> bool:
    if not isinstance(error, SourceError) or not error.transient:
        return False
    # The pacer makes the wait that the vendor asked for, of all threads.
    return (error.retry_after or 0.0) <= LONGEST_RETRY_AFTER


_RETRYING = stamina.RetryingCaller(
    attempts=4, timeout=None, wait_initial=0.5, wait_max=10.0, wait_jitter=0.5
).on(_worth_retrying)
