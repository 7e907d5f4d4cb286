"""Company data from a stand-in of Yahoo, by the real yfinance client."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from adapters.companies.yahoo import YahooCompanies
from adapters.market_data.protocol import SourceError
from tests.adapters.companies.yahoo_company_server import YahooCompanyServer
from tests.adapters.json_server import Answer, too_many_requests
from tests.adapters.yahoo_server import LocalSession

APPLE: dict[str, Any] = {
    "quoteType": {"quoteType": "EQUITY", "longName": "Apple Inc.", "exchange": "NMS"},
    "assetProfile": {
        "maxAge": 1, "sector": "Technology", "country": "United States",
        "fullTimeEmployees": 164000,
        "companyOfficers": [
            {"maxAge": 1, "name": "Mr. Timothy D. Cook", "title": "CEO", "age": 63,
             "totalPay": {"raw": 16239562, "fmt": "16.24M"}},
        ],
    },
    "defaultKeyStatistics": {"maxAge": 1, "sharesOutstanding": 15115800576, "beta": 1.25,
                             "shortRatio": "Infinity"},
    "summaryDetail": {"maxAge": 1, "trailingPE": 30.5},
    "institutionOwnership": {"maxAge": 1, "ownershipList": [
        {"maxAge": 1, "reportDate": {"raw": 1727654400, "fmt": "2024-09-30"},
         "organization": "Vanguard", "pctHeld": {"raw": 0.089}, "position": {"raw": 1350000000},
         "value": {"raw": 300000000000}},
    ]},
}  # fmt: skip
STATEMENTS = {
    "quarterlyTotalRevenue": {"2024-06-30": 85.0, "2024-09-30": 94.9},
    "annualTotalRevenue": {"2024-09-30": 391.0},
    "quarterlyTotalAssets": {"2024-09-30": 365.0},
    "quarterlyFreeCashFlow": {"2024-09-30": 23.9},
}


@pytest.fixture
def server() -> Iterator[YahooCompanyServer]:
    running = YahooCompanyServer()
    running.modules["AAPL"] = APPLE
    running.statements["AAPL"] = STATEMENTS
    with running.running():
        yield running


@pytest.fixture
def source(server: YahooCompanyServer) -> YahooCompanies:
    return YahooCompanies(LocalSession(server.port))


def test_all_kinds_of_facts_are_read(source: YahooCompanies) -> None:
    before = datetime.now(UTC)
    facts = source.facts("AAPL")
    assert all(before <= fact.known_at <= datetime.now(UTC) for fact in facts)
    found = {(fact.kind, fact.period): fact.content for fact in facts}
    september = date(2024, 9, 30)
    assert found == {
        ("profile", None): {
            "longName": "Apple Inc.", "quoteType": "EQUITY", "sector": "Technology",
            "country": "United States", "exchange": "NMS", "fullTimeEmployees": 164000,
        },
        ("officers", None): {"officers": [
            {"name": "Mr. Timothy D. Cook", "title": "CEO", "age": 63, "totalPay": 16239562},
        ]},
        ("statistics", None): {
            "sharesOutstanding": 15115800576, "beta": 1.25, "trailingPE": 30.5,
        },
        ("holders", september): {"holders": [
            {"holder": "Vanguard", "shares": 1350000000, "value": 300000000000,
             "share_held": 0.089, "reported": "2024-09-30"},
        ]},
        ("income", date(2024, 6, 30)): {"quarterly": {"TotalRevenue": 85.0}},
        ("income", september): {
            "yearly": {"TotalRevenue": 391.0}, "quarterly": {"TotalRevenue": 94.9},
        },
        ("balance", september): {"quarterly": {"TotalAssets": 365.0}},
        ("cashflow", september): {"quarterly": {"FreeCashFlow": 23.9}},
    }  # fmt: skip
    assert len({fact.digest for fact in facts}) == len(facts)


def test_equal_content_has_an_equal_digest(source: YahooCompanies) -> None:
    first, second = source.facts("AAPL"), source.facts("AAPL")
    assert [fact.digest for fact in first] == [fact.digest for fact in second]


def test_a_fund_has_no_statements(server: YahooCompanyServer, source: YahooCompanies) -> None:
    server.modules["SPY"] = {
        "quoteType": {"quoteType": "ETF", "longName": "SPDR S&P 500", "exchange": "PCX"}
    }
    assert [fact.kind for fact in source.facts("SPY")] == ["profile"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([Answer(500, "{}")] * 4, "HTTP 500"),
        ([too_many_requests()] * 3, "limits the rate"),
        ([Answer(200, "<html>maintenance</html>")], "not understood"),
    ],
)
def test_what_yahoo_refuses_is_said_in_a_sentence(
    server: YahooCompanyServer,
    source: YahooCompanies,
    answers: list[Answer],
    said: str,
) -> None:
    server.answers.extend(answers)
    with pytest.raises(SourceError, match=said) as refused:
        source.facts("AAPL")
    assert refused.value.transient


def test_a_symbol_that_yahoo_does_not_know_is_said(source: YahooCompanies) -> None:
    with pytest.raises(SourceError, match="ZZZZ: Yahoo does not know it"):
        source.facts("ZZZZ")


def test_a_yahoo_that_cannot_be_reached_is_said() -> None:
    server = YahooCompanyServer()
    with server.running():
        port = server.port
    with pytest.raises(SourceError, match="cannot be reached") as refused:
        YahooCompanies(LocalSession(port)).facts("AAPL")
    assert refused.value.transient
