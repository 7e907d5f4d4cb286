"""`trading report`: the portfolio and its page, made again from existing results."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import typer

from cli.errors import CommandError
from cli.failures import named_server
from cli.installation import installation
from cli.situation import absolute, as_json
from trading.aggregation import aggregate, stored_cost_bps
from trading.parameters import StrategyParameters


def run_report(
    *, output_dir: str | None, cost_bps: float | None, show: bool, as_object: bool
) -> None:
    """Aggregate the results, write `_portfolio/` with the report, and print where it is.

    Args:
        output_dir: Where the results are; None takes the settings'.
        cost_bps: Cost of one trade in basis points; None takes that of the stored portfolio, or
            the strategy's default.
        show: Whether to open it in a browser.
        as_object: Whether to print one JSON object.

    Raises:
        CommandError: There is no browser to open it in.
        TradingError: There are no results, or they cannot be read or written.
    """
    from trading.report.making import read_content, write_report  # noqa: PLC0415 - takes a second

    settings = installation()
    named_server(settings)
    target = absolute(output_dir or settings.output_dir, "output_dir")
    if cost_bps is None:
        cost_bps = stored_cost_bps(target)
    if cost_bps is None:
        cost_bps = StrategyParameters().cost_bps
    aggregation = aggregate(target, None, cost_bps)
    url = write_report(read_content(aggregation))
    summary = aggregation.portfolio.summary
    fields = {"report": url, "contracts": summary.contracts, "bars": summary.bars}
    typer.echo(as_json(fields) if as_object else url)
    if show:
        _open(url)


def _open(url: str) -> None:
    if "://" in url:
        raise CommandError(f"{url} is no local file; copy it here to open it in a browser.")
    if not webbrowser.open(Path(url).as_uri()):
        raise CommandError(f"There is no browser to open {url} in; open it on another machine.")
