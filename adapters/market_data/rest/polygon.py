"""Polygon, now Massive: raw daily and minute bars, splits, dividends and tickers by REST.

Its interface adjusts prices unless told not to, so every page must say that it did not. And a page
can end early without an error: one that holds fewer rows than it counts, stops at its limit without
naming the next one, or has no rows and does not say so, is a failure here, never the end.

https://massive.com/docs/rest/stocks
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
from pydantic import SecretStr

from adapters.market_data.bar_source import (
    Capability,
    Delivery,
    Reach,
    checked_request,
)
from adapters.market_data.pacing import RequestPacer, shared_pacer
from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.client import HeaderKeys, JsonClient, Patience, checked_key
from adapters.market_data.rest.symbols import our_symbol, vendor_symbol
from adapters.market_data.rows import columns_of, delivery
from trading.bars.intervals import Interval
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.clock import NEW_YORK, local_times, midnight, midnights
from trading.instruments.instrument import Instrument

BASE_URL = "https://api.massive.com"

REQUESTS_PER_SECOND = 5 / 60
"""What the plan without a fee allows; paid ones have no fixed limit."""

FIRST_DATE = date(2003, 9, 10)

LIMIT = 50_000
"""Most rows of a page of bars. A window of minutes is shorter, so that no page can be full."""

WINDOW = timedelta(days=30)

_TIMESPANS = {Interval.MINUTE: "minute", Interval.DAY: "day"}
_KEYS = {
    "open": "o",
    "high": "h",
    "low": "l",
    "close": "c",
    "volume": "v",
    "vwap": "vw",
    "trades": "n",
}
_KINDS = {
    "CS": "stock",
    "OS": "stock",
    "ADRC": "stock",
    "ETF": "etf",
    "ETN": "etf",
    "ETV": "etf",
    "ETS": "etf",
}
"""Kind of instrument by their type; rights, warrants, units and funds are not among ours."""

_UNAUTHORIZED = 401

_SPLITS = ("/stocks/v1/splits", "execution_date")
_DIVIDENDS = ("/stocks/v1/dividends", "ex_dividend_date")
"""Tables of actions and their date."""

Page = Mapping[str, Any]
Row = Mapping[str, Any]


class PolygonSource:
    """Raw bars of Polygon.

    Hours are not offered: its hourly bars begin on the full hour, half an hour off the open.

    Args:
        api_key: The key.
        base_url: Where the interface is; the `next_url` of a page is asked there too.
        requests_per_second: What the plan allows.
        pacer: Instead of the one that all sources with this key share.
        patience: How long to wait for an answer.

    Raises:
        ParameterError: The key is missing, or no key.
    """

    name = "polygon"

    def __init__(
        self,
        api_key: SecretStr | None,
        *,
        base_url: str = BASE_URL,
        requests_per_second: float = REQUESTS_PER_SECOND,
        pacer: RequestPacer | None = None,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        key = checked_key("polygon_api_key", api_key, "an API key of Polygon (Massive)")
        self._base = base_url.rstrip("/")
        self.capability = Capability(
            reach=dict.fromkeys(_TIMESPANS, Reach(first=FIRST_DATE)),
            requests_per_second=requests_per_second,
            max_parallel=4,
            extended_hours=True,
            actions=True,
            instruments=True,
        )
        self._client = JsonClient(
            "Polygon",
            HeaderKeys({"Authorization": key}, prefix="Bearer "),
            pacer or shared_pacer(self._base, requests_per_second, key.get_secret_value()),
            lambda status, _: status == _UNAUTHORIZED,
            patience,
        )

    def check_access(self) -> None:
        """Ask for one ticker.

        Raises:
            AccessError: Polygon refuses the key.
            SourceError: Polygon cannot be reached.
        """
        next(self._pages("polygon_api_key", "/v3/reference/tickers", {"limit": "1"}))

    def bars(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> Delivery:
        """The raw bars of one symbol that start in [start, end), pre- and post-market included.

        Raises:
            ParameterError: The request makes no sense.
            SourceError: Polygon did not deliver, or an answer of its is incomplete or adjusted.
        """
        checked_request(self, symbol, interval, start, end)
        rows = [
            row
            for first, last in _windows(interval, start, end)
            for row in self._aggregates(symbol, interval, first, last)
        ]
        columns = columns_of(rows, {"timestamp": "t", **_KEYS}, symbol, "Polygon")
        # A number that is missing or absurd is not to become a date.
        starts = columns.pop("timestamp")
        if not np.all(np.abs(starts) < 1e14):  # noqa: PLR2004 - milliseconds until the year 5138
            raise _wrong(symbol, "has a bar without a time")
        stamps = starts.astype(np.int64).astype("datetime64[ms]").astype("datetime64[ns]")
        if interval is Interval.DAY:
            stamps = midnights(local_times(stamps).astype("datetime64[D]"))
        return delivery(self.name, symbol, timestamps=stamps, values=columns, start=start, end=end)

    def actions(self, symbol: str, first: date, last: date) -> tuple[CorporateAction, ...]:
        """Splits and dividends with an ex-date from `first` to `last`, in order of the ex-date.

        Raises:
            SourceError: Polygon did not deliver.
        """
        try:
            found = [
                *(_split(symbol, row) for row in self._dated(symbol, *_SPLITS, first, last)),
                *(_dividend(symbol, row) for row in self._dated(symbol, *_DIVIDENDS, first, last)),
            ]
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise _wrong(symbol, f"has an action that lacks something ({error})") from error
        return tuple(sorted(found, key=lambda action: (action.ex_date, action.kind)))

    def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """Stocks and funds, delisted ones as well; a reused ticker is several instruments.

        Raises:
            SourceError: Polygon did not deliver.
        """
        chosen = [{}] if symbols is None else [{"ticker": vendor_symbol(s)} for s in symbols]
        found = [
            _instrument(row)
            for ticker in chosen
            for active in ("true", "false")
            for page in self._pages(
                ticker.get("ticker", "instruments"),
                "/v3/reference/tickers",
                {**ticker, "market": "stocks", "active": active, "limit": "1000"},
            )
            for row in _results(page, "instruments")
        ]
        listed = [instrument for instrument in found if instrument is not None]
        return tuple(sorted(listed, key=lambda i: (i.symbol, i.delisted or date.max)))

    def _aggregates(self, symbol: str, interval: Interval, first: str, last: str) -> Iterator[Row]:
        ticker = vendor_symbol(symbol)
        path = f"/v2/aggs/ticker/{quote(ticker, safe='')}/range/1/{_TIMESPANS[interval]}"
        query = {"adjusted": "false", "sort": "asc", "limit": str(LIMIT)}
        for page in self._pages(symbol, f"{path}/{first}/{last}", query):
            if page.get("adjusted") is not False:
                raise _wrong(symbol, "is adjusted, or does not say that it is not", transient=False)
            if page.get("ticker", ticker) != ticker:
                raise _wrong(symbol, "is about another ticker")
            if not isinstance(page.get("resultsCount"), int):
                raise _wrong(symbol, "does not count its bars")
            if not page.get("next_url") and page.get("queryCount", 0) >= LIMIT:
                raise _wrong(symbol, "stops at its limit without naming the next page")
            yield from _results(page, symbol)

    def _dated(self, symbol: str, path: str, dated: str, first: date, last: date) -> Iterator[Row]:
        """The rows of a table of actions whose date is from `first` to `last`."""
        query = {
            "ticker": vendor_symbol(symbol),
            f"{dated}.gte": first.isoformat(),
            f"{dated}.lte": last.isoformat(),
            "limit": "5000",
            "sort": f"{dated}.asc",
        }
        for page in self._pages(symbol, path, query):
            yield from _results(page, symbol)

    def _pages(self, symbol: str, path: str, query: Mapping[str, str]) -> Iterator[Page]:
        url, parameters, asked = self._base + path, query or None, set[str]()
        while True:
            page = self._client.get(symbol, url, parameters)
            if not isinstance(page, dict) or page.get("status") not in ("OK", "DELAYED"):
                raise _wrong(symbol, "does not say that it is right")
            yield page
            following = page.get("next_url")
            if not following:
                return
            if not isinstance(following, str) or following in asked:
                raise _wrong(symbol, "names a next page that was there before")
            asked.add(following)
            # The key goes to the host that the user chose, whatever a page names.
            parts = urlsplit(following)
            url, parameters = f"{self._base}{parts.path}?{parts.query}", None


def _windows(interval: Interval, start: datetime, end: datetime) -> Iterator[tuple[str, str]]:
    """Both ends, included, of the stretches to ask for: New York dates, or milliseconds."""
    last = end - timedelta(microseconds=1)
    if interval is Interval.DAY:
        yield tuple(m.astimezone(NEW_YORK).date().isoformat() for m in (start, last))  # type: ignore[misc]
        return
    begin = start.astimezone(UTC)
    while begin <= last:
        until = min(begin + WINDOW - timedelta(milliseconds=1), last)
        yield str(_milliseconds(begin)), str(_milliseconds(until))
        begin += WINDOW


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _results(page: Page, symbol: str) -> list[Row]:
    """The rows of a page; as many as it counts, and none only when it says so."""
    counted = page.get("resultsCount", page.get("count"))
    rows = page.get("results", [] if counted == 0 else None)
    if not isinstance(rows, list):
        raise _wrong(symbol, "has no results and does not say that there are none")
    if counted is not None and counted != len(rows):
        raise _wrong(symbol, f"has {len(rows)} results and counts {counted}")
    return rows


def _split(symbol: str, row: Row) -> CorporateAction:
    return CorporateAction(
        symbol=symbol,
        kind=ActionKind.SPLIT,
        ex_date=date.fromisoformat(row["execution_date"]),
        value=float(row["split_to"]) / float(row["split_from"]),
    )


def _dividend(symbol: str, row: Row) -> CorporateAction:
    declared = row.get("declaration_date")
    return CorporateAction(
        symbol=symbol,
        kind=ActionKind.DIVIDEND,
        ex_date=date.fromisoformat(row["ex_dividend_date"]),
        value=float(row["cash_amount"]),
        currency=row.get("currency") or "USD",
        # The end of the day on which it was declared: when on that day is not said.
        known_at=_day_end(date.fromisoformat(declared)) if declared else None,
    )


def _day_end(day: date) -> datetime:
    return midnight(day + timedelta(days=1))


def _instrument(row: Row) -> Instrument | None:
    symbol, kind = our_symbol(str(row.get("ticker", ""))), _KINDS.get(str(row.get("type", "")))
    if symbol is None or kind is None:
        return None
    delisted = row.get("delisted_utc")
    return Instrument(
        symbol=symbol,
        name=str(row.get("name") or ""),
        kind=kind,
        exchange=str(row.get("primary_exchange") or ""),
        delisted=date.fromisoformat(str(delisted)[:10]) if delisted else None,
        identifier=str(row.get("composite_figi") or ""),
    )


def _wrong(symbol: str, what: str, *, transient: bool = True) -> SourceError:
    return SourceError(symbol, f"a page of Polygon's answer {what}", transient=transient)
