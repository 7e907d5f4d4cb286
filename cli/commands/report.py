"""`trading report`: the portfolio and its page, made again from existing results."""

from __future__ import annotations

import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.pipeline.failures import named_server, server_note, with_failures
from cli.pipeline.query import PartitionQuery, as_json, request_of
from cli.settings import installation
from flows.runs.commands import report_commands
from flows.runs.rendering import standing_notes
from lake.market.aggregate import Aggregation, aggregate, stored_cost_bps
from lake.market.request import MarketRequest
from lake.market.validation import validate
from servers.errors import CommandError
from trading.strategies.market_model.parameters import StrategyParameters

if TYPE_CHECKING:
    from trading.report.content import KnownStatus


def run_report(
    query: PartitionQuery, *, cost_bps: float | None, show: bool, as_object: bool
) -> None:
    """Aggregate the results, write `_portfolio/` with the report, and print where it is.

    Args:
        query: Where the results are, and the market data that ask for them.
        cost_bps: Cost of one trade in basis points; None takes that of the stored portfolio, or
            the strategy's default.
        show: Whether to open it in a browser.
        as_object: Whether to print one JSON object.

    Raises:
        CommandError: There is no browser to open it in, or the server failed a request.
        TradingError: There are no results, or they cannot be read or written.
    """
    from lake.market.report import read_content, write_report  # noqa: PLC0415 - takes a second

    settings = installation()
    server = named_server(settings)
    request = request_of(settings, query)
    if cost_bps is None:
        cost_bps = stored_cost_bps(request.output_dir)
    if cost_bps is None:
        cost_bps = StrategyParameters().cost_bps
    costed = request.strategy.model_copy(update={"cost_bps": cost_bps})
    aggregation = aggregate(replace(request, strategy=costed))
    validation = validate(request.input_dir.location, aggregation.portfolio.trades.contracts)
    content = read_content(
        aggregation, status=_status(request, server, aggregation), validation=validation
    )
    url = write_report(request.output_dir, content, *report_commands(aggregation))
    summary = aggregation.portfolio.summary
    notes = standing_notes(aggregation.metrics)
    fields = {"report": url, "contracts": summary.contracts, "bars": summary.bars, "notes": notes}
    typer.echo(as_json(fields) if as_object else url)
    for note in notes:
        typer.echo(note, err=True)
    if show:
        _open(url)


def _status(request: MarketRequest, server: str | None, aggregation: Aggregation) -> KnownStatus:
    from lake.market.report import known_status  # noqa: PLC0415 - takes a second

    statuses = list(aggregation.statuses)
    if server is not None:
        statuses = with_failures(request.output_dir.location, statuses)
    known_from = server_note(server).rstrip(".")
    basis = f"{request.input_dir.location}, by {request.grain.value}. {known_from}"
    made, stamps = aggregation.portfolio.trades, aggregation.wanted.timestamps
    return known_status(statuses, stamps, made, basis)


def _open(url: str) -> None:
    if "://" in url:
        raise CommandError(f"{url} is not a local file; copy it here to open it in a browser.")
    if not webbrowser.open(Path(url).as_uri()):
        raise CommandError(f"There is no browser to open {url} in; open it on another machine.")
