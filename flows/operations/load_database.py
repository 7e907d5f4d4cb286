"""`load-database`: bring the database up to date with the lake."""

import asyncio
from collections.abc import Sequence

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from database.connection import open_database
from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
from flows.boundary.parameters import LakeDir, lake_url
from flows.boundary.settings import settings
from flows.loading.loading import KEPT, LoadTotals, Sources, load_lake
from flows.operations.watched import WatchedSymbols, named_database
from flows.runs import rendering
from lake.bronze.contents import stored_series
from storage.directory import open_directory


@flow(name="load-database", flow_run_name="load-database")
@domain_errors_fail_run
@documented
async def load_database(symbols: WatchedSymbols = None, lake_dir: LakeDir = None) -> LoadTotals:
    """Load bars, actions, instruments and gaps that the database lacks.

    Where the lake has several sources of a symbol, the first of TRADING_SOURCES that has it counts.
    """
    url, place = named_database(), lake_url(lake_dir)
    totals = await asyncio.to_thread(_load, url, place, symbols)
    text = (
        f"{totals.loaded:,} files with {totals.bars:,} bars loaded, {totals.up_to_date:,} up to "
        f"date, {totals.corrected:,} bars corrected"
    )
    rows = [(failure,) for failure in totals.failures]
    await acreate_markdown_artifact(
        f"# Database\n\n{text}.\n\n" + (rendering.table(("failed",), rows) if rows else ""),
        key="load-database",
        description=text,
    )
    get_run_logger().info("%s", text)
    if totals.failures:
        raise UnfinishedError(totals.failures[0], totals)
    return totals


def _load(url: str, place: str, symbols: Sequence[str] | None) -> LoadTotals:
    with open_database(url) as database:
        return load_lake(
            database,
            open_directory(place, "lake_dir"),
            _sources(place, symbols),
            settings().database_years,
        )


def _sources(place: str, symbols: Sequence[str] | None) -> Sources:
    """Of each interval and symbol its sources, in the order of the settings, others after them."""
    order = [source.value for source in settings().sources]
    found: dict[object, dict[str, list[str]]] = {interval: {} for interval in KEPT}
    for series in stored_series(place):
        if series.interval in found and (symbols is None or series.symbol in symbols):
            found[series.interval].setdefault(series.symbol, []).append(series.source)
    return {
        interval: {
            symbol: sorted(sources, key=lambda s: (order.index(s) if s in order else len(order), s))
            for symbol, sources in found[interval].items()
        }
        for interval in KEPT
    }
