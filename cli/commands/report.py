"""`trading report`: the portfolio and its page, made again from existing results."""

from __future__ import annotations

import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.pipeline.failures import named_server, server_note, with_failures
from cli.pipeline.query import Question, as_json, places, read_status
from cli.settings import absolute, installation
from flows.runs.commands import shell_command
from lake.market.aggregate import aggregate, stored_cost_bps
from lake.market.inputs import open_market_data
from lake.market.validation import validate
from servers.errors import CommandError
from trading.portfolio.origin import Aggregation
from trading.strategies.market_model.parameters import StrategyParameters

if TYPE_CHECKING:
    from flows.boundary.settings import Settings
    from trading.report.content import KnownStatus


def run_report(question: Question, *, cost_bps: float | None, show: bool, as_object: bool) -> None:
    """Aggregate the results, write `_portfolio/` with the report, and print where it is.

    Args:
        question: Where the results are, and the market data that partitions are measured against;
            without these the report tells only which bars contracts lack.
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
    target = absolute(question.output_dir or settings.output_dir, "output_dir")
    if cost_bps is None:
        cost_bps = stored_cost_bps(target)
    if cost_bps is None:
        cost_bps = StrategyParameters().cost_bps
    aggregation = aggregate(target, None, cost_bps)
    status = validation = None
    words = ["--output-dir", target]
    if question.input_dir:
        status = _status(settings, question, server, aggregation)
        source = absolute(question.input_dir, "input_dir")
        validation = validate(source, aggregation.portfolio.trades.contracts)
        words += ["--input-dir", source]
    again = shell_command("trading", "report", *words)
    url = write_report(read_content(aggregation, status=status, validation=validation), again)
    summary = aggregation.portfolio.summary
    fields = {"report": url, "contracts": summary.contracts, "bars": summary.bars}
    typer.echo(as_json(fields) if as_object else url)
    if show:
        _open(url)


def _status(
    settings: Settings, question: Question, server: str | None, aggregation: Aggregation
) -> KnownStatus:
    from lake.market.report import known_status  # noqa: PLC0415 - takes a second

    where = places(settings, question)
    made = aggregation.portfolio.trades
    statuses = read_status(where, replace(question, contracts=",".join(made.contracts)))
    if server is not None:
        statuses = with_failures(where.output_dir, statuses)
    stamps = open_market_data(where.input_dir).timestamps()
    basis = f"{where.input_dir}, by {where.grain.value}. {server_note(server).rstrip('.')}"
    return known_status(statuses, stamps, made, basis)


def _open(url: str) -> None:
    if "://" in url:
        raise CommandError(f"{url} is no local file; copy it here to open it in a browser.")
    if not webbrowser.open(Path(url).as_uri()):
        raise CommandError(f"There is no browser to open {url} in; open it on another machine.")
