"""`company`: profiles, officers, statistics, holders and statements into the database."""

import asyncio

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
from flows.operations.company_fetching import CompanySummary, fetch_companies
from flows.operations.watched import WatchedSymbols, named_database, watched_symbols
from flows.runs import rendering


@flow(name="company", flow_run_name="company")
@domain_errors_fail_run
@documented
async def company(symbols: WatchedSymbols = None) -> CompanySummary:
    """Read what Yahoo says of companies, and store what has changed, from when it was known.

    Ends Failed when a company could not be read, after all others have been tried.
    """
    from adapters.companies.yahoo import YahooCompanies  # noqa: PLC0415 - yfinance takes a second

    database_url = named_database()
    wanted = await asyncio.to_thread(watched_symbols, symbols)
    source = await asyncio.to_thread(YahooCompanies)
    summary = await asyncio.to_thread(fetch_companies, database_url, source, wanted)
    get_run_logger().info("%s", summary.sentence)
    rows = [(s, str(count)) for s, count in summary.changed.items() if count]
    rows += list(summary.failed.items())
    await acreate_markdown_artifact(
        f"# Companies\n\n{summary.sentence}.\n\n"
        + rendering.table(("symbol", "changed"), rows[: rendering.LISTED_FAILURES]),
        key="company",
        description=summary.sentence,
    )
    if summary.failed:
        raise UnfinishedError(summary.sentence, summary)
    return summary
