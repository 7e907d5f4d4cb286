"""What Yahoo says of a company, by yfinance."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import yfinance as yf
from yfinance.exceptions import YFException, YFRateLimitError

from adapters.market_data.protocol import SourceError
from adapters.market_data.yahoo_session import YahooSession
from adapters.market_data.yfinance_internals import let_failures_through
from trading.companies.facts import CompanyFact, FactKind

T = TypeVar("T")

_PROFILE = (
    "longName", "quoteType", "sector", "industry", "country", "state", "city", "website",
    "currency", "exchange", "fullTimeEmployees", "longBusinessSummary",
)  # fmt: skip
_STATISTICS = (
    "sharesOutstanding", "floatShares", "sharesShort", "shortRatio", "shortPercentOfFloat",
    "heldPercentInsiders", "heldPercentInstitutions", "marketCap", "enterpriseValue", "trailingPE",
    "forwardPE", "priceToBook", "trailingEps", "forwardEps", "bookValue", "beta", "dividendYield",
    "payoutRatio", "profitMargins", "operatingMargins", "returnOnEquity", "returnOnAssets",
    "revenueGrowth", "earningsGrowth", "totalRevenue", "ebitda", "totalCash", "totalDebt",
    "debtToEquity", "currentRatio", "freeCashflow",
)  # fmt: skip
_OFFICER = ("name", "title", "age", "fiscalYear", "totalPay")
_HOLDER = {"Holder": "holder", "Shares": "shares", "Value": "value", "pctHeld": "share_held"}
_STATEMENTS: Mapping[FactKind, str] = {
    "income": "get_income_stmt", "balance": "get_balance_sheet", "cashflow": "get_cash_flow",
}  # fmt: skip
_HAVE_STATEMENTS = "EQUITY"
_NO_STATEMENTS = "Empty fundamentals-timeseries result"


class YahooCompanies:
    """Company data of Yahoo.

    Args:
        session: Instead of one of its own.
    """

    name = "yahoo"

    def __init__(self, session: YahooSession | None = None) -> None:
        self._session = session or YahooSession()
        let_failures_through()

    def facts(self, symbol: str) -> list[CompanyFact]:
        """All that Yahoo says of the company now.

        Raises:
            SourceError: Yahoo cannot be reached, refuses, or does not know the symbol.
        """
        ticker = yf.Ticker(symbol, session=self._session)
        info = _asked(symbol, lambda: ticker.info)
        if not info.get("quoteType") or not info.get("longName"):
            raise SourceError(symbol, "Yahoo has no company of that symbol")
        known_at = datetime.now(UTC)
        found = [
            *_of_info(info),
            *_holders(_asked(symbol, lambda: ticker.institutional_holders)),
            *self._statements(symbol, ticker, is_company=info["quoteType"] == _HAVE_STATEMENTS),
        ]
        return [
            CompanyFact(
                symbol=symbol, kind=kind, period=period, content=content, source=self.name,
                known_at=known_at,
            )
            for kind, period, content in found
        ]  # fmt: skip

    def _statements(
        self, symbol: str, ticker: yf.Ticker, *, is_company: bool
    ) -> Iterator[tuple[FactKind, date, dict[str, Any]]]:
        if not is_company:
            return  # funds and indices have none
        for kind, method in _STATEMENTS.items():
            periods: dict[date, dict[str, Any]] = defaultdict(dict)
            for frequency in ("yearly", "quarterly"):
                frame = _statement(symbol, getattr(ticker, method), frequency)
                for moment, items in frame.items():
                    if items:
                        periods[moment][frequency] = items
            for period, content in sorted(periods.items()):
                yield kind, period, content


def _statement(
    symbol: str, read: Callable[..., Any], frequency: str
) -> dict[date, dict[str, float]]:
    """The items of each period that have a value; none where Yahoo has no statement."""
    try:
        frame = _asked(symbol, lambda: read(freq=frequency))
    except SourceError as error:
        # A young company has no yearly one yet.
        if _NO_STATEMENTS in error.reason:
            return {}
        raise
    return {
        column.date(): {
            str(item): float(value) for item, value in frame[column].items() if _is_number(value)
        }
        for column in frame.columns
    }


def _of_info(info: Mapping[str, Any]) -> Iterator[tuple[FactKind, None, dict[str, Any]]]:
    yield "profile", None, _chosen(info, _PROFILE)
    officers = info.get("companyOfficers") or []
    if officers:
        yield "officers", None, {"officers": [_chosen(officer, _OFFICER) for officer in officers]}
    # Yahoo writes some that cannot be computed as text.
    numbers = {name: info[name] for name in _STATISTICS if _is_number(info.get(name))}
    statistics = _chosen(numbers, _STATISTICS)
    if statistics:
        yield "statistics", None, statistics


def _holders(frame: Any) -> Iterator[tuple[FactKind, date, dict[str, Any]]]:  # noqa: ANN401 - pandas has no types
    if frame is None or not len(frame):
        return
    rows: Sequence[Mapping[str, Any]] = frame.to_dict("records")
    listed = [
        {ours: _plain(row[theirs]) for theirs, ours in _HOLDER.items() if theirs in row}
        | {"reported": row["Date Reported"].date().isoformat()}
        for row in rows
    ]
    period = max(date.fromisoformat(entry["reported"]) for entry in listed)
    yield "holders", period, {"holders": listed}


def _chosen(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    found = {name: _plain(values.get(name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever Yahoo sends
    """A value as JSON can hold it; None for what is no text and no finite number."""
    if isinstance(value, str):
        return value
    if not _is_number(value):
        return None
    return int(value) if float(value).is_integer() else float(value)


def _is_number(value: Any) -> bool:  # noqa: ANN401 - see above
    try:
        return not isinstance(value, bool) and math.isfinite(value)
    except TypeError:
        return False


def _asked(symbol: str, ask: Callable[[], T]) -> T:
    """What yfinance makes of Yahoo's answer.

    Raises:
        SourceError: Yahoo cannot be reached, refuses, or sends what is not understood.
    """
    try:
        return ask()
    except YFRateLimitError as error:
        raise SourceError(symbol, "Yahoo limits the rate", transient=True) from error
    except YFException as error:
        raise SourceError(symbol, str(error)) from error
    except OSError as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        raise _refused(symbol, status, type(error).__name__) from error
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        # yfinance indexes into the answer unchecked; a maintenance page ends up here.
        reason = f"Yahoo's answer is not understood ({type(error).__name__})"
        raise SourceError(symbol, reason, transient=True) from error


def _refused(symbol: str, status: int | None, kind: str) -> SourceError:
    if status == 404:  # noqa: PLR2004 - HTTP
        return SourceError(symbol, "Yahoo does not know it (HTTP 404)")
    if not status:  # curl says 0 where there was no answer
        return SourceError(symbol, f"Yahoo cannot be reached ({kind})", transient=True)
    transient = status in (408, 425, 429) or status >= 500  # noqa: PLR2004 - HTTP
    return SourceError(symbol, f"Yahoo refused (HTTP {status})", transient=transient)
