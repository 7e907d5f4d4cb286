"""An article, and when it is the same as another one."""

from __future__ import annotations

import hashlib
import re
import string
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

LONGEST_URL = 2000
"""Characters; what is longer is no address of an article."""

_TRACKING = re.compile(
    r"(utm_\w+|gclid|fbclid|msclkid|yclid|mc_[ce]id|igshid|ncid|cmpid|guccounter|guce_\w+|"
    r"\.tsrc|soc_src|soc_trk|ref_src|smid|sr_share)\Z",
    re.IGNORECASE,
)
"""Parts of a query that say where a reader came from and nowhere what is read."""

_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """An article as a source has it.

    Attributes:
        url: Where it is, canonical.
        title: Its headline.
        description: What follows the headline; empty when there is nothing.
        publisher: Who wrote it.
        source: Where we have it from, e.g. `newsapi`.
        published_at: When it came out, aware.
        fetched_at: When we had it, aware.
        symbols: Whom it is about.
    """

    url: str
    title: str
    description: str
    publisher: str
    source: str
    published_at: datetime
    fetched_at: datetime
    symbols: frozenset[str]

    @property
    def id(self) -> str:
        """The same for all that tell of the same address."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:32]

    @property
    def usable_from(self) -> datetime:
        """When it could first be acted on: nobody knows an article before it is out and fetched."""
        return max(self.published_at, self.fetched_at)


def canonical_url(url: str) -> str:
    """The one way to write an article's address (RFC 3986, 6.2, and what trackers add removed).

    Applied twice it changes nothing more.

    Raises:
        ValueError: It is no address of a web page.
    """
    parts = urlsplit(url.strip())
    scheme = parts.scheme.lower()
    host = (parts.hostname or "").rstrip(".")
    while host.startswith("www.") and host.count(".") > 1:
        host = host.removeprefix("www.")
    if scheme not in _DEFAULT_PORTS or not host or len(url) > LONGEST_URL:
        raise ValueError("not the address of a web page")
    port = parts.port
    place = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        place = f"{place}:{port}"
    path = quote(_ESCAPED.sub(_plain, parts.path), safe="/%~!$&'()*+,;=:@").rstrip("/")
    kept = sorted(
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not _TRACKING.match(name)
    )
    # One page is reached by both schemes.
    return urlunsplit(("https", place, path, urlencode(kept), ""))


def _plain(escaped: re.Match[str]) -> str:
    """A character that needs no escape as itself, all others escaped in capitals."""
    character = chr(int(escaped.group(1), 16))
    return character if character in _UNRESERVED else escaped.group().upper()


def deduplicated(articles: list[Article]) -> list[Article]:
    """One article for each address: the first fetched, about all symbols that any of them names."""
    found: dict[str, Article] = {}
    for article in sorted(articles, key=lambda a: (a.fetched_at, a.published_at)):
        known = found.get(article.url)
        if known is None:
            found[article.url] = article
        elif not article.symbols <= known.symbols:
            found[article.url] = replace(known, symbols=known.symbols | article.symbols)
    return list(found.values())
