"""The processes that tell people and pages: `trading live alerts` and `trading live news`."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from adapters.news.sources import NewsSourceName, news_source
from adapters.notifications.apprise_channel import channels
from cli.commands.live.services.service import ServiceOptions, running
from cli.commands.live.services.serving import member_name
from cli.market_clock import market_clock
from cli.settings import absolute
from database.alerts.addressees import addressees_told
from database.alerts.telling import Addressees
from database.live.subscriptions import subscriptions
from flows.operations.news_fetching import fetch_news
from live.alerts.ports import BusEnds, Surveyor
from live.alerts.process import run_alerts
from live.alerts.watch import WatchOptions
from live.news import run_news
from storage.directory import open_directory
from trading.events import Stream

NEWS_BACK = timedelta(hours=24)
"""How far each look for news goes back: an article may come late, and what is known is left."""

_GROUP = "alerts"


def serve_alerts(options: ServiceOptions, clock: Literal["wall", "events"]) -> None:
    """Watch bars, signals and the platform by the alert rules, and notify, until told to stop.

    Args:
        options: What every process is asked.
        clock: Whose time it is: that of the events in a replay of the past.

    Raises:
        CommandError, TradingError, LiveError, DatabaseError: It cannot go on.
    """
    with (
        running("alerts", options) as service,
        market_clock(clock, service.bus_url) as market,
    ):
        settings = service.settings
        known = channels(settings.notify)
        # Flow runs tell the same people, and know no URL.
        told = addressees_told(known, settings.notify_quiet)
        member = member_name(service.name)
        watched = [
            service.bus.consume(s, _GROUP, member, "latest") for s in (Stream.BARS, Stream.SIGNALS)
        ]
        watch = WatchOptions(
            addressees=Addressees.of(known, settings.notify_quiet),
            rules_file=Path(settings.alerts_file),
            surveyors=_surveyors(),
            clock=market,
        )
        run_alerts(
            service.database_url, BusEnds(watched, service.bus), known, watch, threading.Event(),
            per_minute=settings.notify_per_minute, turned=lambda: service.turn(lambda: told),
        )  # fmt: skip


def serve_news(options: ServiceOptions, every_seconds: float) -> None:
    """Read news of the stream's symbols and publish them, until told to stop.

    Args:
        options: What every process is asked.
        every_seconds: How often the source is asked.

    Raises:
        CommandError, TradingError, LiveError, DatabaseError: It cannot go on.
    """
    with running("news", options) as service:
        settings = service.settings
        name = NewsSourceName(settings.news_source)
        source = news_source(name, settings.news_keys)
        # What is made up does not go into the lake unless somebody asks for it.
        real = name is not NewsSourceName.SYNTHETIC
        lake = open_directory(absolute(settings.lake_dir, "lake_dir"), "lake_dir") if real else None

        def fetch() -> None:
            now = datetime.now(UTC)
            asked = sorted(subscriptions(service.database))
            if asked:
                fetch_news(service.database_url, source, asked, now - NEWS_BACK, now, lake=lake)

        service.wait_until_alone()
        run_news(
            service.database_url, service.bus, fetch, threading.Event(), every_seconds,
            turned=lambda: service.turn(_no_figures),
        )  # fmt: skip


def _no_figures() -> dict[str, Any]:
    return {}


def _surveyors() -> list[Surveyor]:
    """Who knows more than the database: the Prefect server, where one is named."""
    prefect = os.environ.get("PREFECT_API_URL")
    if not prefect:
        return []
    from cli.failed_partitions import FailedPartitions  # noqa: PLC0415 - where it is asked

    return [FailedPartitions(prefect)]
