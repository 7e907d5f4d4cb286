"""What is known of a company, as titles, texts, pairs and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.desk import shown
from api.desk.reading.news import CompanyFact

_TITLES = {
    "profile": "Profile", "statistics": "Key statistics", "officers": "Officers",
    "holders": "Institutional holders", "income": "Income statement",
    "balance": "Balance sheet", "cashflow": "Cash flow",
}  # fmt: skip
"""In the order in which they are shown."""

_NAMES = ("name", "long_name", "longName", "short_name", "shortName")
_LONG_TEXT = 120
_MOST_ROWS, _MOST_COLUMNS = 12, 5
_SHARES = ("yield", "share", "pct", "percent", "margin", "growth", "held")


@dataclass(frozen=True, slots=True)
class CompanyPart:
    """One section.

    Attributes:
        title: Its heading.
        text: Prose; empty for none.
        pairs: Names and values.
        table: Rows of texts, the names of the columns first; empty for none.
    """

    title: str
    text: str
    pairs: tuple[tuple[str, str], ...]
    table: tuple[tuple[str, ...], ...]


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
    if isinstance(content, Mapping):
        texts = [value for value in content.values() if _is_long(value)]
        pairs = tuple(
            (_words(name), _text(name, value))
            for name, value in content.items()
            if value is not None and not _is_long(value) and not isinstance(value, list | dict)
        )
        return CompanyPart(title, "\n".join(texts), pairs, ())
    if isinstance(content, Sequence) and not isinstance(content, str):
        return CompanyPart(title, "", (), tuple(_table(content)))
    return CompanyPart(title, str(content), (), ())


def _table(content: Sequence[Any]) -> Iterator[tuple[str, ...]]:
    records = [record for record in content if isinstance(record, Mapping)][:_MOST_ROWS]
    if not records:
        return
    names = list(records[0])[:_MOST_COLUMNS]
    yield tuple(_words(name) for name in names)
    for record in records:
        yield tuple(_text(name, record.get(name)) for name in names)


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) > _LONG_TEXT


def _words(name: str) -> str:
    """`market_cap` and `marketCap` as `Market cap`."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()
    return parts[:1].upper() + parts[1:]


def _text(name: str, value: object) -> str:
    if value is None:
        return shown.MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if abs(value) <= 1 and any(word in name.lower() for word in _SHARES):
            return shown.percent(value)
        return shown.large(value)
    if isinstance(value, datetime):
        return shown.day_and_time(value)
    return str(value)
