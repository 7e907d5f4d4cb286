"""Company facts: a version for each change, each known from its moment on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from database.companies import company_names, known_facts, record_facts
from database.connection import Database
from trading.companies.facts import CompanyFact, FactKind

AT = datetime(2024, 1, 2, 15, tzinfo=UTC)
Q3, Q4 = date(2023, 9, 30), date(2023, 12, 31)


def fact(kind: FactKind, days: int = 0, period: date | None = None, **content: Any) -> CompanyFact:
    return CompanyFact(
        symbol="AAPL", kind=kind, period=period, content=content, source="yahoo",
        known_at=AT + timedelta(days=days),
    )  # fmt: skip


def contents(database: Database, days: int, kind: FactKind | None = None) -> list[dict[str, Any]]:
    as_of = AT + timedelta(days=days)
    return [found.content for found in known_facts(database, "AAPL", as_of, kind)]


def test_unchanged_content_adds_nothing(database: Database) -> None:
    facts = [fact("profile", longName="Apple"), fact("income", period=Q3, quarterly={"a": 1})]
    assert record_facts(database, facts) == 2
    later = [
        fact("profile", 7, longName="Apple"),
        fact("income", 7, period=Q3, quarterly={"a": 1}),
    ]
    assert record_facts(database, later) == 0
    assert [f.known_at for f in known_facts(database, "AAPL", AT + timedelta(days=9))] == [AT, AT]


def test_a_change_is_a_version_from_when_it_was_known(database: Database) -> None:
    for days, name in ((0, "Apple"), (7, "Apple Inc."), (14, "Apple")):
        assert record_facts(database, [fact("profile", days, longName=name)]) == 1
    names = [contents(database, days)[0]["longName"] for days in (0, 6, 7, 13, 14)]
    assert names == ["Apple", "Apple", "Apple Inc.", "Apple Inc.", "Apple"]
    assert contents(database, -1) == []
    assert {f.period for f in known_facts(database, "AAPL", AT)} == {AT.date()}


def test_a_restated_quarter_does_not_hide_another(database: Database) -> None:
    record_facts(database, [fact("income", 0, Q3, revenue=1), fact("income", 0, Q4, revenue=2)])
    assert (
        record_facts(database, [fact("income", 5, Q3, revenue=9), fact("income", 5, Q4, revenue=2)])
        == 1
    )
    assert contents(database, 0, "income") == [{"revenue": 2}, {"revenue": 1}]
    assert contents(database, 5, "income") == [{"revenue": 2}, {"revenue": 9}]


def test_names_are_those_of_the_last_profile(database: Database) -> None:
    record_facts(database, [fact("profile", 0, longName="Apple Computer")])
    record_facts(database, [fact("profile", 5, longName="Apple Inc.")])
    assert company_names(database, ["AAPL", "MSFT"]) == {"AAPL": "Apple Inc."}
