"""`trading report`: the portfolio and its page, made again from existing results."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.pipeline.failures import named_server, server_note, with_failures
from cli.pipeline.query import Places, Question, as_json, places
from cli.settings import installation
from flows.runs.commands import report_commands
from flows.runs.rendering import standing_notes
from lake.market.aggregate import Aggregation, AggregationRequest, aggregate, stored_cost_bps
from lake.market.validation import validate
from servers.errors import CommandError
from trading.strategies.market_model.parameters import StrategyParameters

if TYPE_CHECKING:
    from trading.report.content import KnownStatus


def run_report(question: Question, *, cost_bps: float | None, show: bool, as_object: bool) -> None:
    """Aggregate the results, write `_portfolio/` with the report, and print where it is.

    Args:
        question: Where the results are, and the market data that ask for them.
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
    where = places(settings, question)
    if cost_bps is None:
        cost_bps = stored_cost_bps(where.output_dir)
    if cost_bps is None:
        cost_bps = StrategyParameters().cost_bps
    aggregation = aggregate(
        AggregationRequest(
            input_dir=where.input_dir,
            output_dir=where.output_dir,
            grain=where.grain,
            strategy=where.strategy,
            cost_bps=cost_bps,
        )
    )
    validation = validate(where.input_dir, aggregation.portfolio.trades.contracts)
    content = read_content(
        aggregation, status=_status(where, server, aggregation), validation=validation
    )
    url = write_report(content, *report_commands(aggregation))
    summary = aggregation.portfolio.summary
    notes = standing_notes(aggregation.metrics)
    fields = {"report": url, "contracts": summary.contracts, "bars": summary.bars, "notes": notes}
    typer.echo(as_json(fields) if as_object else url)
    for note in notes:
        typer.echo(note, err=True)
    if show:
        _open(url)


def _status(where: Places, server: str | None, aggregation: Aggregation) -> KnownStatus:
    from lake.market.report import known_status  # noqa: PLC0415 - takes a second

    statuses = list(aggregation.statuses)
    if server is not None:
        statuses = with_failures(where.output_dir, statuses)
    basis = f"{where.input_dir}, by {where.grain.value}. {server_note(server).rstrip('.')}"
    made, stamps = aggregation.portfolio.trades, aggregation.wanted.timestamps
    return known_status(statuses, stamps, made, basis)


def _open(url: str) -> None:
    if "://" in url:
        raise CommandError(f"{url} is no local file; copy it here to open it in a browser.")
    if not webbrowser.open(Path(url).as_uri()):
        raise CommandError(f"There is no browser to open {url} in; open it on another machine.")
