"""`ingest-market-data`: prices of contracts, the VIX and the S&P 500 into the input files."""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from adapters.market_data.protocol import CloseInterval, MarketDataSource
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.parameters import InputDir, LakeDir, input_url, lake_url
from flows.boundary.settings import settings
from flows.runs import rendering
from lake.market.ingestion import IngestionSummary, SymbolSummary, ingest
from storage.directory import open_directory

DEFAULT_SYMBOLS = ("AAPL", "MSFT", "GOOGL", "AMZN", "TSLA", "NVDA", "META", "BRK-B", "JPM", "V")

IngestionSymbols = Annotated[
    list[str] | None,
    Field(
        description="Contracts to fetch, by their name at the source. Empty: ten large ones. "
        "The VIX and the S&P 500 always come along.",
        examples=[["AAPL", "MSFT"]],
    ),
]

IngestionInterval = Annotated[
    CloseInterval,
    Field(
        description="Length of a fetched bar; of hourly ones Yahoo keeps the last 730 days.",
        examples=["1h", "1d"],
    ),
]


@flow(name="ingest-market-data", flow_run_name="ingest {interval}")
@domain_errors_fail_run
@documented
async def ingest_market_data(
    symbols: IngestionSymbols = None,
    start_date: Annotated[
        date | None,
        Field(
            description="First day, inclusive, in New York. Empty: the last five complete "
            "sessions.",
            examples=["2024-10-15"],
        ),
    ] = None,
    end_date: Annotated[
        date | None,
        Field(description="Last day, inclusive, in New York.", examples=["2024-10-18"]),
    ] = None,
    interval: IngestionInterval = CloseInterval.HOUR,
    input_dir: InputDir = None,
    source: Annotated[
        Literal["yahoo", "synthetic", "lake"] | None,
        Field(
            description="Where closes are from; lake is what bronze holds. Empty: "
            "TRADING_MARKET_DATA_SOURCE.",
            examples=["lake"],
        ),
    ] = None,
    lake_dir: LakeDir = None,
) -> IngestionSummary:
    """Fetch what is new and merge it into the three input files, together or not at all.

    A contract that fails is reported and leaves the rest; without the VIX or the S&P 500 the
    run fails and the files stay as they were.
    """
    summary = await asyncio.to_thread(
        ingest,
        _source(source or settings().market_data_source, lake_dir),
        symbols or DEFAULT_SYMBOLS,
        start_date,
        end_date,
        interval,
        input_url(input_dir),
    )
    await acreate_markdown_artifact(
        _markdown(summary),
        key="ingestion-summary",
        description="What was fetched of each symbol",
    )
    logger = get_run_logger()
    for failed in summary.failed:
        logger.warning("%s was not fetched: %s", failed.symbol, failed.reason)
    if summary.interval_folder:
        logger.warning("%s", _own_folder(summary))
    logger.info(
        "%d of %d contracts are up to date to %s in %s",
        len(summary.contracts),
        len(summary.symbols),
        summary.last_session,
        summary.input_dir,
    )
    return summary


def _source(name: str, lake_dir: str | None) -> MarketDataSource:
    # Imported here: the flows that import this one do not all fetch.
    if name == "lake":
        from lake.market.ingestion.lake_source import LakeSource  # noqa: PLC0415

        lake = open_directory(lake_url(lake_dir), "lake_dir")
        return LakeSource(lake, [source.value for source in settings().sources])
    if name == "synthetic":
        from adapters.market_data.synthetic import SyntheticSource  # noqa: PLC0415

        return SyntheticSource()
    from adapters.market_data.yahoo import YahooSource  # noqa: PLC0415

    return YahooSource()


def _markdown(summary: IngestionSummary) -> str:
    rows = [_row(symbol) for symbol in (summary.vix, summary.spx, *summary.symbols)]
    written: Sequence[str] = summary.files or ("Nothing: all of it was stored already.",)
    parts = [
        f"# Ingestion from {summary.source}",
        f"Sessions {summary.first_session} to {summary.last_session}, bars of {summary.interval}.",
        f"Files in {summary.input_dir}.",
        rendering.table(
            ("symbol", "status", "bars", "new", "restated", "first", "last", "reason"), rows
        ),
        "## Files written",
        "\n".join(f"- {file}" for file in written),
    ]
    if summary.interval_folder:
        parts.insert(1, _own_folder(summary))
    if summary.kept_copy:
        parts.append(f"What was there before is kept in {summary.kept_copy}.")
    return "\n\n".join(parts)


def _own_folder(summary: IngestionSummary) -> str:
    return (
        f"The input_dir holds bars of another interval, so those of {summary.interval} are in "
        f"{summary.input_dir}: pass that as input_dir to analyse them, and an output_dir of their "
        "own. The orchestrator does so by itself when it ingests."
    )


def _row(symbol: SymbolSummary) -> tuple[object, ...]:
    return (
        symbol.symbol,
        symbol.status.value,
        symbol.rows,
        symbol.new,
        symbol.restated,
        symbol.first,
        symbol.last,
        symbol.reason or "",
    )
