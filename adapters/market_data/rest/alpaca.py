"""Alpaca: raw daily and minute bars, splits, dividends and assets by REST.

Its own client waits for good for a server that hangs, so this is a thin one with time-outs. The
bars are those of the feed, by default IEX's own trades: a fraction of the volume of all venues.

https://docs.alpaca.markets/reference/stockbars
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

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
from trading.arrays import Timestamps
from trading.bars.intervals import Interval
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.clock import local_times, midnights
from trading.instruments.instrument import Instrument

DATA_URL = "https://data.alpaca.markets"
TRADING_URL = "https://paper-api.alpaca.markets"

REQUESTS_PER_SECOND = 200 / 60
"""What the plan without a fee allows."""

FIRST_DATE = date(2016, 1, 4)

ACTION_MARGIN = timedelta(days=366)
"""Actions are asked for by the day on which they are booked, a dividend's on the day of payment."""

_TIMEFRAMES = {Interval.MINUTE: "1Min", Interval.DAY: "1Day"}
_KEYS = {
    "open": "o",
    "high": "h",
    "low": "l",
    "close": "c",
    "volume": "v",
    "vwap": "vw",
    "trades": "n",
}
_ACTIONS = "forward_split,reverse_split,stock_dividend,cash_dividend"
_EXCHANGES = {
    "NASDAQ": "XNAS",
    "NYSE": "XNYS",
    "ARCA": "ARCX",
    "NYSEARCA": "ARCX",
    "AMEX": "XASE",
    "BATS": "BATS",
}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


class AlpacaSource:
    """Raw bars of Alpaca.

    Args:
        key_id: The key's name.
        secret_key: The key.
        data_url: Where market data are.
        trading_url: Where assets are listed; those of an account with real money are elsewhere.
        feed: `iex`, or `sip` for the trades of all venues.
        requests_per_second: What the plan allows.
        pacer: Instead of the one that all sources with this key share.
        patience: How long to wait for an answer.

    Raises:
        ParameterError: A key is missing, or no key.
    """

    name = "alpaca"

    def __init__(
        self,
        key_id: SecretStr | None,
        secret_key: SecretStr | None,
        *,
        data_url: str = DATA_URL,
        trading_url: str = TRADING_URL,
        feed: str = "iex",
        requests_per_second: float = REQUESTS_PER_SECOND,
        pacer: RequestPacer | None = None,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        key = checked_key("alpaca_key_id", key_id, "a key ID of Alpaca")
        secret = checked_key("alpaca_secret_key", secret_key, "a secret key of Alpaca")
        self._data, self._trading = data_url.rstrip("/"), trading_url.rstrip("/")
        self._feed = feed
        self.capability = Capability(
            reach=dict.fromkeys(_TIMEFRAMES, Reach(first=FIRST_DATE)),
            requests_per_second=requests_per_second,
            max_parallel=4,
            consolidated=feed == "sip",
            extended_hours=True,
            actions=True,
            instruments=True,
        )
        self._client = JsonClient(
            "Alpaca",
            HeaderKeys({"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}),
            pacer or shared_pacer(self._data, requests_per_second, key.get_secret_value()),
            _refuses_key,
            patience,
        )

    def check_access(self) -> None:
        """Ask for one action.

        Raises:
            AccessError: Alpaca refuses the keys.
            SourceError: Alpaca cannot be reached.
        """
        url, query = f"{self._data}/v1/corporate-actions", {"symbols": "AAPL", "limit": "1"}
        self._client.get("alpaca_key_id", url, query)

    def bars(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> Delivery:
        """The raw bars of one symbol that start in [start, end), pre- and post-market included.

        Raises:
            ParameterError: The request makes no sense.
            SourceError: Alpaca did not deliver, or an answer of its is incomplete.
        """
        checked_request(self, symbol, interval, start, end)
        ticker = vendor_symbol(symbol)
        query = {
            "symbols": ticker,
            "timeframe": _TIMEFRAMES[interval],
            "start": _written(start),
            # Their end is included.
            "end": _written(end - timedelta(microseconds=1)),
            "limit": "10000",
            "adjustment": "raw",
            "feed": self._feed,
            # What traded under this name then, not what its owner of today was called.
            "asof": "-",
            "sort": "asc",
        }
        rows: list[Mapping[str, Any]] = []
        for page in self._pages(symbol, "/v2/stocks/bars", query, "bars"):
            if set(page) - {ticker} or not isinstance(page.get(ticker, []), list):
                raise _wrong(symbol, "is about another symbol")
            rows += page.get(ticker, [])
        columns = columns_of(rows, _KEYS, symbol, "Alpaca")
        stamps = _starts(symbol, rows)
        if interval is Interval.DAY:
            stamps = midnights(local_times(stamps).astype("datetime64[D]"))
        return delivery(self.name, symbol, timestamps=stamps, values=columns, start=start, end=end)

    def actions(self, symbol: str, first: date, last: date) -> tuple[CorporateAction, ...]:
        """Splits and dividends with an ex-date from `first` to `last`, in order of the ex-date.

        Raises:
            SourceError: Alpaca did not deliver.
        """
        query = {
            "symbols": vendor_symbol(symbol),
            "types": _ACTIONS,
            "start": (first - ACTION_MARGIN).isoformat(),
            "end": (last + ACTION_MARGIN).isoformat(),
            "limit": "1000",
            "sort": "asc",
        }
        found: list[CorporateAction] = []
        for page in self._pages(symbol, "/v1/corporate-actions", query, "corporate_actions"):
            for kind, rows in page.items():
                try:
                    found += [_action(symbol, kind, row) for row in rows]
                except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
                    raise _wrong(symbol, f"has an action that lacks something ({error})") from error
        wanted = [action for action in found if first <= action.ex_date <= last]
        return tuple(sorted(wanted, key=lambda action: (action.ex_date, action.kind)))

    def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """Stocks and funds of today, in order of the symbol; Alpaca keeps no dates of listing.

        Raises:
            SourceError: Alpaca did not deliver.
        """
        url, query = f"{self._trading}/v2/assets", {"status": "active", "asset_class": "us_equity"}
        rows = self._client.get("instruments", url, query)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _wrong("instruments", "is not a list of assets")
        found = [instrument for row in rows if (instrument := _instrument(row)) is not None]
        wanted = [i for i in found if symbols is None or i.symbol in symbols]
        return tuple(sorted(wanted, key=lambda instrument: instrument.symbol))

    def _pages(
        self, symbol: str, path: str, query: Mapping[str, str], key: str
    ) -> Iterator[Mapping[str, Any]]:
        """What each page has under `key`."""
        asked, token = set[str](), None
        while True:
            parameters = dict(query) if token is None else {**query, "page_token": token}
            page = self._client.get(symbol, f"{self._data}{path}", parameters)
            if not isinstance(page, dict) or "next_page_token" not in page:
                raise _wrong(symbol, "does not say whether it is the last")
            content = page.get(key)
            if not isinstance(content, dict):
                raise _wrong(symbol, f"has no {key}")
            yield content
            token = page["next_page_token"]
            if token is None:
                return
            if not isinstance(token, str) or not token or token in asked:
                raise _wrong(symbol, "names a next page that was there before")
            asked.add(token)


def _refuses_key(status: int, words: str) -> bool:
    """401, and 403 unless it says that the plan lacks something."""
    return status == 401 or (status == 403 and "subscription" not in words)  # noqa: PLR2004


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _starts(symbol: str, rows: Sequence[Mapping[str, Any]]) -> Timestamps:
    texts = [str(row.get("t")) for row in rows]
    if not all(_MOMENT.fullmatch(text) for text in texts):
        raise _wrong(symbol, "has a bar without a time in UTC")
    try:
        return np.array([text.removesuffix("Z") for text in texts], "datetime64[ns]")
    except ValueError as error:
        raise _wrong(symbol, "has a bar with a time that does not exist") from error


def _action(symbol: str, kind: str, row: Mapping[str, Any]) -> CorporateAction:
    split = kind != "cash_dividends"
    if kind in ("forward_splits", "reverse_splits"):
        value = float(row["new_rate"]) / float(row["old_rate"])
    elif kind == "stock_dividends":
        value = 1.0 + float(row["rate"])
    elif kind == "cash_dividends":
        value = float(row["rate"])
    else:
        raise ValueError(f"a kind that is known ({kind!r:.40})")
    return CorporateAction(
        symbol=symbol,
        kind=ActionKind.SPLIT if split else ActionKind.DIVIDEND,
        ex_date=date.fromisoformat(row["ex_date"]),
        value=value,
    )


def _instrument(row: Mapping[str, Any]) -> Instrument | None:
    symbol, exchange = our_symbol(str(row.get("symbol"))), _EXCHANGES.get(str(row.get("exchange")))
    if symbol is None or exchange is None:
        return None
    # Alpaca does not tell a fund from a company.
    name = str(row.get("name") or "")
    identifier = str(row.get("id") or "")
    return Instrument(symbol=symbol, name=name, kind="", exchange=exchange, identifier=identifier)


def _wrong(symbol: str, what: str) -> SourceError:
    return SourceError(symbol, f"a page of Alpaca's answer {what}", transient=True)
