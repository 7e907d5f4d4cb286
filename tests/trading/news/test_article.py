"""Canonical addresses, and articles that are the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.news.article import Article, canonical_url, deduplicated

AT = datetime(2024, 1, 2, 15, tzinfo=UTC)


def article(url: str, hours: int = 0, *symbols: str, title: str = "A title") -> Article:
    return Article(
        url=canonical_url(url), title=title, description="", publisher="P", source="newsapi",
        published_at=AT, fetched_at=AT + timedelta(hours=hours), symbols=frozenset(symbols),
    )  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a/b?id=7&z=1",
        "http://www.Example.com:80/a/b/?z=1&id=7#part",
        "HTTPS://example.com:443/a/%62?id=7&utm_source=x&z=1&gclid=5",
        " https://example.com./a/b/?z=1&.tsrc=rss&id=7 ",
    ],
)
def test_addresses_of_one_page_are_one(url: str) -> None:
    assert canonical_url(url) == "https://example.com/a/b?id=7&z=1"


@pytest.mark.parametrize(
    "other",
    [
        "https://example.com/a%2Fb?id=7&z=1",
        "https://example.com/A/b?id=7&z=1",
        "https://example.com/a/b?id=8&z=1",
        "https://example.com:8443/a/b?id=7&z=1",
        "https://m.example.com/a/b?id=7&z=1",
        "https://example.com/a/b?id=7&z=1&ref=9",
    ],
)
def test_addresses_of_other_pages_stay_others(other: str) -> None:
    assert canonical_url(other) != canonical_url("https://example.com/a/b?id=7&z=1")


@pytest.mark.parametrize("url", ["", "example.com", "ftp://a/b", "https://", "http://[x", "x" * 9])
def test_what_is_no_address_of_a_page_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|port|IPv6|URL|netloc"):
        canonical_url(url)


@given(
    st.sampled_from(["example.com", "www.example.com", "www.com", "www.www.a.com", "[::1]"]),
    st.text(st.sampled_from("ab/%20%2f?&=#é+ ~"), max_size=30),
)
def test_canonical_is_canonical(host: str, rest: str) -> None:
    once = canonical_url(f"http://{host}/{rest}")
    assert canonical_url(once) == once


def test_the_first_fetched_of_an_address_counts_about_all_symbols() -> None:
    first = article("https://a.com/1", 1, "AAPL", title="first")
    found = deduplicated(
        [
            article("https://a.com/1?utm_medium=x", 2, "MSFT", title="second"),
            article("https://a.com/2", 2, "AAPL"),
            first,
        ]
    )
    assert [(a.title, sorted(a.symbols)) for a in found] == [
        ("first", ["AAPL", "MSFT"]), ("A title", ["AAPL"]),
    ]  # fmt: skip
    assert len({a.id for a in found}) == 2


def test_nobody_acts_on_an_article_before_it_is_out_and_fetched() -> None:
    assert article("https://a.com/1", 3).usable_from == AT + timedelta(hours=3)
    assert article("https://a.com/1", -3).usable_from == AT
