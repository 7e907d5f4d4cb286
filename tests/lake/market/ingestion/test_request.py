"""What a user may ask of an ingestion, and what is refused before the first request."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from adapters.market_data.protocol import CloseInterval, ClosePrices
from lake.market.ingestion.request import IngestionRequest, checked_request, contract_name
from trading.errors import ParameterError

NOW = datetime(2024, 10, 19, 16, tzinfo=UTC)  # a Saturday


class UnaskedSource:
    """A source that must not be asked for anything."""

    name = "unasked"
    vix_symbol = "^VIX"
    spx_symbol = "^GSPC"
    max_parallel = 1

    def history(self, interval: CloseInterval) -> timedelta | None:
        return timedelta(days=730) if interval is CloseInterval.HOUR else None

    def close_prices(
        self, symbol: str, start: datetime, end: datetime, interval: CloseInterval
    ) -> ClosePrices:
        raise AssertionError(f"asked for {symbol} {start} {end} {interval}")


def request(**changed: Any) -> IngestionRequest:
    parameters: dict[str, Any] = {
        "symbols": ["AAPL"], "start": None, "end": None, "interval": "1h", "now": NOW,
    }  # fmt: skip
    return checked_request(UnaskedSource(), **{**parameters, **changed})


@pytest.mark.parametrize(
    ("parameter", "changed", "told"),
    [
        ("symbols", {"symbols": []}, "one or more symbols"),
        ("symbols", {"symbols": "AAPL"}, "pass e.g. ['AAPL', 'MSFT']"),
        ("symbols", {"symbols": ["aapl"]}, "contract name"),
        ("symbols", {"symbols": ["../AAPL"]}, "contract name"),
        ("symbols", {"symbols": [None]}, "contract name"),
        ("symbols", {"symbols": ["BRK/B"]}, "pass e.g. ['BRK-B']"),
        ("symbols", {"symbols": ["AAPL", "AAPL"]}, "name each contract once"),
        ("symbols", {"symbols": ["BRK.B", "BRK-B"]}, "name each contract once"),
        ("symbols", {"symbols": ["^VIX"]}, "always ingested"),
        ("interval", {"interval": "5m"}, "'1h' or '1d'"),
        ("interval", {"interval": None}, "'1h' or '1d'"),
        ("start_date", {"start": "15.10.2024"}, "write it like 2024-10-15"),
        ("start_date", {"start": "20241015"}, "write it like 2024-10-15"),
        ("start_date", {"start": "2024-02-30"}, "write it like 2024-10-15"),
        ("start_date", {"start": 20241015}, "write it like 2024-10-15"),
        ("start_date", {"start": datetime(2024, 10, 15, tzinfo=UTC)}, "a date"),
        ("start_date", {"start": "0001-01-01", "interval": "1d"}, "1928-01-01 or later"),
        ("end_date", {"end": "0001-01-01", "interval": "1d"}, "1928-01-01 or later"),
        ("end_date", {"end": "1928-01-01", "interval": "1d"}, "complete bar"),
        ("start_date", {"start": "2024-10-21"}, "in the past"),
        ("start_date", {"start": "9999-12-31"}, "in the past"),
        ("end_date", {"start": "2024-10-15", "end": "2024-10-14"}, "start_date 2024-10-15"),
        ("start_date", {"start": "2022-10-20"}, "start at 2022-10-21 or later"),
        ("start_date", {"end": "2020-01-10"}, "730 days"),
        ("start_date", {"start": "2024-10-12", "end": "2024-10-13"}, "trading day"),
        ("start_date", {"start": "2024-10-19"}, "trading day"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_way_out(
    parameter: str, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(ParameterError) as raised:
        request(**changed)
    assert raised.value.parameter == parameter
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_message_names_the_offending_symbol() -> None:
    with pytest.raises(ParameterError, match="symbols='aapl'"):
        request(symbols=["MSFT", "aapl"])


def test_dates_are_taken_as_dates_or_as_text() -> None:
    as_text = request(start="2024-10-15", end="2024-10-18")
    as_dates = request(start=date(2024, 10, 15), end=date(2024, 10, 18))
    assert as_text == as_dates
    assert (as_text.first, as_text.last) == (date(2024, 10, 15), date(2024, 10, 18))


def test_the_oldest_hourly_start_that_a_message_names_is_accepted() -> None:
    assert request(start="2022-10-21").first == date(2022, 10, 21)


def test_daily_bars_reach_back_as_far_as_one_likes() -> None:
    assert request(start="1990-01-02", interval="1d").first == date(1990, 1, 2)


def test_an_end_in_the_future_means_until_now() -> None:
    assert request(start="2024-10-15", end="2025-01-01").last == date(2024, 10, 19)


@pytest.mark.parametrize(
    ("now", "first", "last"),
    [
        # A session counts once its last bar has settled: 16:00 and half an hour.
        (datetime(2024, 10, 18, 20, 29, tzinfo=UTC), date(2024, 10, 11), date(2024, 10, 17)),
        (datetime(2024, 10, 18, 20, 30, tzinfo=UTC), date(2024, 10, 14), date(2024, 10, 18)),
        # Independence Day is a holiday, the day before it closes at 13:00.
        (datetime(2024, 7, 3, 17, 30, tzinfo=UTC), date(2024, 6, 27), date(2024, 7, 3)),
        (datetime(2024, 7, 5, 12, 0, tzinfo=UTC), date(2024, 6, 27), date(2024, 7, 3)),
        # The exchange was closed for four sessions after 11 September 2001.
        (datetime(2001, 9, 17, 12, 0, tzinfo=UTC), date(2001, 9, 4), date(2001, 9, 10)),
        # In New York it is still the day before.
        (datetime(2024, 10, 19, 1, 0, tzinfo=UTC), date(2024, 10, 14), date(2024, 10, 18)),
    ],
)
def test_the_defaults_are_the_last_five_complete_sessions(
    now: datetime, first: date, last: date
) -> None:
    asked = request(now=now)
    assert (asked.first, asked.last) == (first, last)


def test_only_an_end_gives_five_sessions_until_then() -> None:
    asked = request(end="2024-09-03")  # the day after Labor Day
    assert (asked.first, asked.last) == (date(2024, 8, 27), date(2024, 9, 3))


def test_only_a_start_runs_until_now() -> None:
    asked = request(start="2024-10-15")
    assert (asked.first, asked.last) == (date(2024, 10, 15), date(2024, 10, 19))


@pytest.mark.parametrize(
    ("symbol", "contract"),
    [
        ("BRK.B", "BRK-B"),
        ("BF.A", "BF-A"),
        ("BRK-B", "BRK-B"),
        ("VOD.L", "VOD.L"),
        ("7203.T", "7203.T"),
        ("ES=F", "ES=F"),
    ],
)
def test_share_classes_have_one_name(symbol: str, contract: str) -> None:
    assert contract_name(symbol) == contract
