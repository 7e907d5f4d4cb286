"""News of nobody: what a newcomer sees without a key, the same each time."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

from adapters.news.rows import asked_for
from trading.news.article import Article

_HEADLINES = (
    "{name} beats estimates, raises guidance",
    "{name} wins approval for a new product",
    "Analysts upgrade {name} to overweight",
    "{name} announces a buyback as profits climb",
    "{name} to report results next week",
    "{name} names a new board member",
    "{name} opens an office in Austin",
    "{name} falls short of expectations",
    "Short interest surges in {name}",
    "{name} cuts guidance on weak demand",
    "Regulators open a probe into {name}",
)
_MOST_A_DAY = 3


class SyntheticNews:
    """Articles made up from the symbol and the day; each says that it is made up."""

    name = "synthetic"

    def articles(
        self, companies: Mapping[str, str], since: datetime, until: datetime
    ) -> list[Article]:
        """See `NewsSource.articles`."""
        fetched_at = datetime.now(UTC)
        first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        made = [
            article
            for symbol, name in companies.items()
            for day in days
            for article in _of_day(symbol, name or symbol, day, fetched_at)
        ]
        return asked_for(made, companies, since, until)


def _of_day(symbol: str, name: str, day: date, fetched_at: datetime) -> Iterator[Article]:
    seed = hashlib.sha256(f"{symbol}:{day.isoformat()}".encode()).digest()
    generator = random.Random(seed)  # noqa: S311 - no secret
    for number in range(generator.randint(0, _MOST_A_DAY)):
        published = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(
            minutes=generator.randrange(24 * 60)
        )
        yield Article(
            url=f"https://news.example/{symbol.lower()}/{day:%Y%m%d}-{number}",
            title=generator.choice(_HEADLINES).format(name=name),
            description="This article is made up.",
            publisher="Synthetic News",
            source=SyntheticNews.name,
            published_at=published,
            # One that is made up later was not known later.
            fetched_at=min(published, fetched_at),
            symbols=frozenset({symbol}),
        )
