"""A company's facts as the desk shows what Yahoo says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from api.desk.company import CompanyPart, company_parts
from api.desk.reading.news import CompanyFact
from tests.api.desk.application import Application


def part(kind: str, content: Any) -> CompanyPart:
    fact = CompanyFact(
        kind=kind, period=date(2026, 9, 30), known_at=datetime(2026, 11, 22, tzinfo=UTC),
        content=content, source="yahoo",
    )  # fmt: skip
    (found,) = company_parts({kind: fact})
    return found


def test_fractions_and_percents_of_the_source_are_distinguished() -> None:
    content = {
        "returnOnEquity": 1.57, "dividendYield": 0.44, "beta": 0.9, "marketCap": 3.42e12,
        "trailingPE": 36.8,
    }  # fmt: skip
    assert part("statistics", content).pairs == (
        ("Market cap", "3.42 T"), ("P/E, trailing", "36.80"), ("Dividend yield", "0.44 %"),
        ("Beta", "0.90"), ("Return on equity", "157.00 %"),
    )  # fmt: skip


def test_lists_within_a_fact_are_tables_that_begin_with_the_name() -> None:
    officers = [{"age": 65, "fiscalYear": 2025, "name": "A. B.", "title": "Chief"}, {"name": "C."}]
    found = part("officers", {"officers": officers})
    assert found.table == (
        ("Name", "Title", "Age", "Fiscal year"),
        ("A. B.", "Chief", "65", "2025"),
        ("C.", "n/a", "n/a", "n/a"),
    )
    assert found.numbers == (False, False, True, True)


def test_names_of_statements_keep_what_is_all_capitals() -> None:
    pairs = part("income", {"NetIncome": 9.3e10, "EBITDA": 1.3e11, "DilutedEPS": 6.1}).pairs
    assert [name for name, _ in pairs] == ["Diluted EPS", "EBITDA", "Net income"]


async def test_a_symbols_page_has_officers_and_holders(application: Application) -> None:
    page = await application.page("/symbols/AAPL")
    for text in ("Kevan Parekh", "Vanguard Group Inc", "8.93 %", "0.44 %", "157.00 %"):
        assert text in page
