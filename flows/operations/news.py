"""`news`: articles about companies into the database, with their sentiment."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from adapters.news.sources import NewsSourceName, news_source
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.settings import settings
from flows.operations.news_fetching import NewsSummary, fetch_news
from flows.operations.watched import WatchedSymbols, named_database, watched_symbols
from flows.runs import rendering


@flow(name="news", flow_run_name="news")
@domain_errors_fail_run
@documented
async def news(
    symbols: WatchedSymbols = None,
    source: Annotated[
        NewsSourceName | None,
        Field(
            description="Who is asked: synthetic, newsapi or alpaca. Empty: TRADING_NEWS_SOURCE.",
            examples=["alpaca"],
        ),
    ] = None,
    hours: Annotated[
        float,
        Field(gt=0, le=24 * 30, description="How far to look back in hours.", examples=[24]),
    ] = 24.0,
) -> NewsSummary:
    """Read what was published about companies lately, and store what is new with its sentiment.

    Runs overlap in what they ask for, so that one that failed is made up for by the next.
    """
    asked = news_source(source or settings().news_source, settings().news_keys)
    now = datetime.now(UTC)
    summary = await asyncio.to_thread(
        fetch_news,
        named_database(),
        asked,
        await asyncio.to_thread(watched_symbols, symbols),
        now - timedelta(hours=hours),
        now,
    )
    get_run_logger().info("%s", summary.sentence)
    rows = sorted(summary.labels.items())
    await acreate_markdown_artifact(
        f"# News\n\n{summary.sentence}.\n\n{rendering.table(('new', 'articles'), rows)}",
        key="news",
        description=summary.sentence,
    )
    return summary
