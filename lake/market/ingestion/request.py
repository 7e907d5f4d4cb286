"""What to ingest: the user's parameters, checked before the first request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from adapters.market_data.protocol import CloseInterval, MarketDataSource
from lake.market.ingestion.sessions import sessions_between
from trading.errors import ParameterError
from trading.instruments.clock import NEW_YORK, midnight
from trading.instruments.symbols import checked_contract, naming_hint

DEFAULT_SESSIONS = 5
"""How many complete sessions are taken when no start is given."""

EARLIEST = date(1928, 1, 1)
"""The first year of the S&P 500's forerunner: no source has the index before."""

_ISO_DATE = r"\d{4}-\d{2}-\d{2}"
_SHARE_CLASS = re.compile(r"([A-Z]{1,4})\.([ABC])")


@dataclass(frozen=True, slots=True)
class IngestionRequest:
    """A checked wish.

    Attributes:
        contracts: Names of the contracts, in the user's order, each once.
        interval: Length of a bar.
        first: First New York date wanted.
        last: Last New York date wanted, included.
        now: When the request was made; nothing later is asked for.
    """

    contracts: tuple[str, ...]
    interval: CloseInterval
    first: date
    last: date
    now: datetime


def contract_name(symbol: str) -> str:
    """The contract that a symbol names: a share class takes a dash (`BRK.B` is `BRK-B`).

    One name per contract, or one would become two columns. Suffixes of foreign exchanges
    (`VOD.L`, `7203.T`) are no share classes and stay.

    Raises:
        ParameterError: It is not a contract name.
    """
    try:
        contract = checked_contract(symbol)
    except ParameterError as error:
        meant = naming_hint(symbol, "'AAPL'")
        raise ParameterError("symbols", symbol, error.allowed, f"pass e.g. [{meant}]") from error
    return _SHARE_CLASS.sub(r"\1-\2", contract) if _SHARE_CLASS.fullmatch(contract) else contract


def checked_request(  # noqa: PLR0917 - the user's parameters, in the order they know
    source: MarketDataSource,
    symbols: Sequence[str],
    start: date | str | None,
    end: date | str | None,
    interval: CloseInterval | str,
    now: datetime | None,
) -> IngestionRequest:
    """The request that the user's parameters make.

    Raises:
        ParameterError: One of them cannot be used; nothing was asked of the source.
    """
    moment = (now or datetime.now(UTC)).astimezone(NEW_YORK)
    contracts = _contracts(symbols, source)
    length = _interval(interval)
    first, last = _range(_date("start_date", start), _date("end_date", end), moment)
    request = IngestionRequest(contracts, length, first, last, moment)
    _check_range(request)
    _check_history(request, source)
    _check_sessions(request)
    return request


def _contracts(symbols: Sequence[str], source: MarketDataSource) -> tuple[str, ...]:
    if isinstance(symbols, str) or not symbols:
        raise ParameterError(
            "symbols", symbols, "a list of one or more symbols", "pass e.g. ['AAPL', 'MSFT']"
        )
    contracts = tuple(contract_name(symbol) for symbol in symbols)
    if len(set(contracts)) != len(contracts):
        raise ParameterError(
            "symbols", list(symbols), "a list of different symbols", "name each contract once"
        )
    for index in (source.vix_symbol, source.spx_symbol):
        if index in contracts:
            raise ParameterError(
                "symbols", index, "a contract to trade", "leave it out: it is always ingested"
            )
    return contracts


def _interval(interval: CloseInterval | str) -> CloseInterval:
    try:
        return CloseInterval(interval)
    except ValueError as error:
        raise ParameterError(
            "interval", interval, "'1h' or '1d'", "pass '1h' for hourly bars"
        ) from error


def _date(parameter: str, value: date | str | None) -> date | None:
    if value is None:
        return None
    day = _parsed_date(value)
    if day is None:
        raise ParameterError(parameter, value, "a date", "write it like 2024-10-15")
    if day < EARLIEST:
        raise ParameterError(parameter, str(day), f"{EARLIEST} or later", "pass a later date")
    return day


def _parsed_date(value: object) -> date | None:
    """The date, None when it is none; a datetime leaves open which zone's date is meant."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        # date.fromisoformat also takes 20241015 and 2024-W42-2, which are as often mistakes.
        return date.fromisoformat(value) if re.fullmatch(_ISO_DATE, value) else None  # type: ignore[arg-type,call-overload] # a TypeError is handled
    except (TypeError, ValueError):
        return None


def _range(start: date | None, end: date | None, now: datetime) -> tuple[date, date]:
    """First and last date: those given, else the last complete sessions until the other."""
    last = min(end or now.date(), now.date())
    if start is not None:
        return start, last
    # Three weeks hold five sessions, also around a closure such as that of September 2001.
    sessions = sessions_between(max(last - timedelta(days=21), EARLIEST), last)
    complete = sessions.dates[sessions.complete(now)][-DEFAULT_SESSIONS:]
    if not len(complete):
        raise _no_session("end_date", last)
    return date.fromisoformat(str(complete[0])), date.fromisoformat(str(complete[-1]))


def _check_range(request: IngestionRequest) -> None:
    if request.first > request.now.date():
        raise ParameterError(
            "start_date", str(request.first), "in the past", "pass an earlier start_date"
        )
    if request.last < request.first:
        raise ParameterError(
            "end_date",
            str(request.last),
            f"on or after the start_date {request.first}",
            "exchange the two, or leave one out",
        )


def _check_history(request: IngestionRequest, source: MarketDataSource) -> None:
    history = source.history(request.interval)
    if history is None or midnight(request.first) >= request.now - history:
        return
    earliest = (request.now - history).date() + timedelta(days=1)
    raise ParameterError(
        "start_date",
        str(request.first),
        f"within the {history.days} days for which {source.name} keeps {request.interval} bars",
        f"start at {earliest} or later, or take daily bars: interval='1d', which is "
        "ingestion_interval of the orchestrator",
    )


def _check_sessions(request: IngestionRequest) -> None:
    sessions = sessions_between(request.first, request.last)
    if not sessions.with_bars(request.interval, request.now).any():
        raise _no_session("start_date", request.first)


def _no_session(parameter: str, day: date) -> ParameterError:
    return ParameterError(
        parameter,
        str(day),
        "in a range with a complete bar of a trading session",
        "choose a range with a New York trading day whose bars are over",
    )
