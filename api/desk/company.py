"""What is known of a company, as titles, texts, pairs and tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.desk import shown
from api.desk.reading.news import CompanyFact

_TITLES = {
    "profile": "Profile", "statistics": "Key statistics", "officers": "Officers",
    "holders": "Institutional holders", "income": "Income statement",
    "balance": "Balance sheet", "cashflow": "Cash flow",
}  # fmt: skip
"""In the order in which they are shown."""

_NAMES = ("longName", "name")
_LONG_TEXT = 120
_MOST_ROWS, _MOST_COLUMNS = 12, 5

_ORDER = (
    "name", "title", "holder", "longName", "sector", "industry", "country", "state", "city",
    "website", "exchange", "currency", "fullTimeEmployees", "marketCap", "trailingPE", "forwardPE",
    "dividendYield", "beta", "trailingEps", "forwardEps", "sharesOutstanding",
)  # fmt: skip
"""What is read first; the database keeps no order of its own."""

_LABELS = {
    "longName": "Name", "fullTimeEmployees": "Employees", "trailingPE": "P/E, trailing",
    "forwardPE": "P/E, forward", "trailingEps": "EPS, trailing", "forwardEps": "EPS, forward",
    "ebitda": "EBITDA", "freeCashflow": "Free cash flow", "share_held": "Held",
    "shortPercentOfFloat": "Short, of float", "heldPercentInsiders": "Held by insiders",
    "heldPercentInstitutions": "Held by institutions", "quoteType": "Kind",
}  # fmt: skip

_FRACTIONS = frozenset({
    "share_held", "shortPercentOfFloat", "heldPercentInsiders", "heldPercentInstitutions",
    "payoutRatio", "profitMargins", "operatingMargins", "returnOnEquity", "returnOnAssets",
    "revenueGrowth", "earningsGrowth",
})  # fmt: skip
"""What Yahoo says as a fraction of 1."""

_PERCENT = frozenset({"dividendYield", "debtToEquity"})
"""What Yahoo says in percent already."""

_PLAIN = frozenset({"age", "fiscalYear"})


@dataclass(frozen=True, slots=True)
class CompanyPart:
    """One section.

    Attributes:
        title: Its heading.
        text: Prose; empty for none.
        pairs: Names and values.
        table: Rows of texts, the names of the columns first; empty for none.
        numbers: Which of the columns hold numbers.
    """

    title: str
    text: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    numbers: tuple[bool, ...] = ()


def company_name(facts: Mapping[str, CompanyFact]) -> str:
    """What the company is called; empty when that is not known."""
    content = facts["profile"].content if "profile" in facts else None
    if not isinstance(content, Mapping):
        return ""
    return next((str(content[name]) for name in _NAMES if content.get(name)), "")


def company_parts(facts: Mapping[str, CompanyFact]) -> list[CompanyPart]:
    """The sections of those facts that are there."""
    return [_part(title, facts[kind].content) for kind, title in _TITLES.items() if kind in facts]


def _part(title: str, content: Any) -> CompanyPart:  # noqa: ANN401 - JSON
    if not isinstance(content, Mapping):
        return CompanyPart(title, text=str(content))
    lists = [value for value in content.values() if isinstance(value, list)]
    if lists:
        return _table(title, [row for row in lists[0] if isinstance(row, Mapping)])
    texts = [value for value in content.values() if _is_long(value)]
    pairs = tuple(
        (_label(name), _text(name, content[name]))
        for name in sorted(content, key=_place)
        if not _is_long(content[name])
    )
    return CompanyPart(title, "\n".join(texts), pairs)


def _table(title: str, records: Sequence[Mapping[str, Any]]) -> CompanyPart:
    known = dict.fromkeys(name for record in records for name in record)
    names = sorted(known, key=_place)[:_MOST_COLUMNS]
    rows = [
        tuple(_text(name, record.get(name)) for name in names) for record in records[:_MOST_ROWS]
    ]
    numbers = tuple(
        all(isinstance(record.get(name), int | float | None) for record in records)
        for name in names
    )
    return CompanyPart(title, table=(tuple(_label(name) for name in names), *rows), numbers=numbers)


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) > _LONG_TEXT


def _label(name: str) -> str:
    """`bookValue` and `book_value` as `Book value`; what is all capitals stays so."""
    if name in _LABELS:
        return _LABELS[name]
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    text = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)
    return text[:1].upper() + text[1:]


def _text(name: str, value: object) -> str:
    if value is None:
        return shown.MISSING
    if isinstance(value, int | float):
        if name in _FRACTIONS:
            return shown.percent(value)
        if name in _PERCENT:
            return shown.percent(value / 100)
        return str(value) if name in _PLAIN else shown.large(value)
    return str(value)
