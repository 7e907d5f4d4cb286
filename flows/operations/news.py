"""`news`: articles about companies into the database and the lake, with their sentiment."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed
from pydantic import Field

from adapters.news.sources import NewsSourceName, news_source
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.parameters import LakeDir, lake_url
from flows.boundary.settings import settings
from flows.operations.hourly import AFTER_CLOSE
from flows.operations.news_fetching import NewsSummary, fetch_news
from flows.operations.timed import At, meant_for
from flows.operations.watched import WatchedSymbols, named_database, watched_symbols
from flows.runs import rendering
from storage.checks import check_writable
from storage.directory import open_directory
from trading.instruments.market_hours import session_before, why_closed


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
        float | None,
        Field(
            gt=0,
            le=24 * 30,
            description="How far to look back in hours. Empty: to the open of the session before.",
            examples=[24],
        ),
    ] = None,
    at: At = None,
    lake_dir: LakeDir = None,
) -> NewsSummary | State[Any]:
    """Read what was published about companies lately, and store what is new with its sentiment.

    Runs overlap in what they fetch, so that the next one makes up for one that failed, and the
    first after a weekend reads all of it. Outside of a session it ends Completed with the message
    "market closed".
    """
    moment = meant_for(at)
    if reason := why_closed(moment, after_close=AFTER_CLOSE):
        return Completed(message=reason)
    asked = news_source(source or settings().news_source, settings().news_keys)
    lake = open_directory(lake_url(lake_dir), "lake_dir")
    await asyncio.to_thread(check_writable, lake, "lake_dir")
    now = datetime.now(UTC)
    since = session_before(moment).opens if hours is None else now - timedelta(hours=hours)
    summary = await asyncio.to_thread(
        fetch_news,
        named_database(),
        asked,
        await asyncio.to_thread(watched_symbols, symbols),
        since,
        now,
        lake=lake,
    )
    get_run_logger().info("%s", summary.sentence)
    rows = sorted(summary.labels.items())
    await acreate_markdown_artifact(
        f"# News\n\n{summary.sentence}.\n\n{rendering.table(('new', 'articles'), rows)}",
        key="news",
        description=summary.sentence,
    )
    return summary
