"""`trading company fetch` and `show`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer

from cli.database import database_url
from cli.settings import installation
from database.companies import StoredFact, known_facts
from database.connection import open_database
from flows.operations.company_fetching import CompanySource, fetch_companies
from flows.operations.watched import watched_symbols
from servers.errors import FAILED
from trading.errors import ParameterError
from trading.instruments.clock import parse_timestamp
from trading.instruments.symbols import checked_symbol


def run_fetch(symbols: Sequence[str] | None, server_dir: Path, *, as_object: bool) -> int:
    """Read and store what has changed; the exit code.

    Raises:
        ParameterError: A symbol cannot be used.
    """
    settings = installation()
    wanted = watched_symbols([checked_symbol(symbol) for symbol in symbols or ()])
    with database_url(settings, server_dir) as url:
        summary = fetch_companies(url, _source(), wanted)
    typer.echo(json.dumps(asdict(summary)) if as_object else f"{summary.sentence}.")
    return FAILED if summary.failed else 0


def _source() -> CompanySource:
    from adapters.companies.yahoo import YahooCompanies  # noqa: PLC0415 - yfinance takes a second

    return YahooCompanies()


def run_show(symbol: str, as_of: str | None, server_dir: Path, *, as_object: bool) -> None:
    """Print what was known at a moment.

    Raises:
        ParameterError: The symbol or the moment cannot be used, or nothing was known.
    """
    checked_symbol(symbol)
    moment = datetime.now(UTC) if as_of is None else parse_timestamp(as_of, "as_of")
    with database_url(installation(), server_dir) as url, open_database(url) as database:
        facts = known_facts(database, symbol, moment)
    if not facts:
        when = "is known" if as_of is None else f"was known at {moment.isoformat()}"
        allowed = f"a company of which anything {when}"
        raise ParameterError("symbol", symbol, allowed, f"run trading company fetch {symbol}")
    if as_object:
        typer.echo(json.dumps({"symbol": symbol, "facts": [_described(fact) for fact in facts]}))
        return
    for fact in facts:
        known = fact.known_at.strftime("%Y-%m-%d %H:%M UTC")
        typer.echo(f"{fact.kind}  of {fact.period}  known since {known}")
        for name, value in fact.content.items():
            text = value if isinstance(value, str) else json.dumps(value)
            typer.echo(f"  {name}: {text[:200]}")


def _described(fact: StoredFact) -> dict[str, object]:
    return {
        "kind": fact.kind,
        "period": fact.period.isoformat(),
        "known_at": fact.known_at.isoformat(),
        "source": fact.source,
        "content": fact.content,
    }
