"""`trading news fetch` and `list`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import typer

from adapters.news.sources import NewsSourceName, news_source
from cli.database import database_url
from cli.settings import absolute, installation
from database.connection import Database, open_database
from database.news import StoredArticle, articles, sentiments
from flows.operations.news_fetching import fetch_news
from flows.operations.watched import watched_symbols
from storage.checks import check_writable
from storage.directory import open_directory
from trading.instruments.clock import to_datetime64
from trading.instruments.symbols import checked_symbol
from trading.news.score import MAX_HALF_LIVES, news_score


def run_fetch(
    symbols: Sequence[str] | None,
    source: str | None,
    hours: float,
    server_dir: Path,
    *,
    lake_dir: str | None,
    as_object: bool,
) -> None:
    """Read and store news.

    Raises:
        LocationError, StorageError: The lake cannot be used; nothing was read.
        ParameterError: A symbol or the source cannot be used.
        SourceError: The source did not deliver.
    """
    settings = installation()
    wanted = watched_symbols([checked_symbol(symbol) for symbol in symbols or ()])
    asked = news_source(NewsSourceName(source or settings.news_source), settings.news_keys)
    lake = open_directory(absolute(lake_dir or settings.lake_dir, "lake_dir"), "lake_dir")
    check_writable(lake, "lake_dir")
    now = datetime.now(UTC)
    with database_url(settings, server_dir) as url:
        summary = fetch_news(url, asked, wanted, now - timedelta(hours=hours), now, lake=lake)
    typer.echo(json.dumps(asdict(summary)) if as_object else f"{summary.sentence}.")


def run_list(symbol: str | None, count: int, server_dir: Path, *, as_object: bool) -> None:
    """Print the latest articles, and the score of the symbol.

    Raises:
        ParameterError: It is no symbol.
    """
    settings = installation()
    if symbol is not None:
        checked_symbol(symbol)
    with database_url(settings, server_dir) as url, open_database(url) as database:
        found = articles(database, symbol, count)
        half_life = timedelta(hours=settings.news_half_life_hours)
        score = None if symbol is None else score_now(database, symbol, half_life)
    if as_object:
        typer.echo(json.dumps({"score": score, "articles": [_described(a) for a in found]}))
        return
    if not found:
        typer.echo("There are no articles yet; trading news fetch AAPL reads some.")
    for article in found:
        when = article.usable_from.strftime("%Y-%m-%d %H:%M UTC")
        about = ",".join(article.symbols)
        typer.echo(f"{when}  {article.sentiment:+.2f} {article.label:<8}  {about}  {article.title}")
    if symbol is not None:
        typer.echo(f"Score of {symbol} now: {'none' if score is None else f'{score:+.2f}'}")


def score_now(database: Database, symbol: str, half_life: timedelta) -> float | None:
    """The symbol's score at this moment; None when no article counts any more."""
    now = datetime.now(UTC)
    moments, values = sentiments(database, symbol, now - MAX_HALF_LIVES * half_life, now)
    stamp = np.array([to_datetime64(now)])
    (score,) = news_score(stamp, moments, values, np.timedelta64(half_life))
    return None if math.isnan(score) else float(score)


def _described(article: StoredArticle) -> dict[str, Any]:
    values = asdict(article)
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in values.items()}
