"""`trading lake symbols`: what was listed, delisted or renamed, from a source's list."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import typer

from adapters.market_data.bar_source import BarSource
from adapters.market_data.sources import SourceName, bar_source
from cli.commands.lake.question import LakeQuestion, lake_dir, named_symbols, sources
from cli.pipeline.failures import named_server
from cli.pipeline.query import as_json
from cli.settings import absolute, installation
from lake.bronze.contents import stored_series
from lake.reference.refresh import refresh_instruments
from storage.checks import check_writable
from storage.directory import open_directory
from trading.errors import ParameterError
from trading.instruments.clock import NEW_YORK
from trading.instruments.maintenance import Maintained

if TYPE_CHECKING:
    from flows.boundary.settings import Settings


def run_symbols(question: LakeQuestion, *, dry_run: bool, as_object: bool) -> int:
    """Bring the lake's instruments and the history of their symbols up to date.

    Args:
        question: Of which symbols, and from which source.
        dry_run: Whether to leave the tables as they are.
        as_object: Whether to print one JSON object instead of text.

    Raises:
        CommandError, TradingError, FileError: It cannot be done; the tables are as they were.
    """
    settings = installation()
    named_server(settings)  # the settings' credentials, where a block has them
    place = lake_dir(question, settings)
    source = _listing(question, settings)
    symbols = named_symbols(question, settings)
    if symbols is None:
        symbols = sorted({series.symbol for series in stored_series(place)})
    if not symbols:
        next_step = "name them, e.g. --symbols AAPL,MSFT, or ingest their bars first"
        raise ParameterError("symbols", None, "a list of symbols, and the lake has none", next_step)
    lake = open_directory(place, "lake_dir")
    if not dry_run:
        check_writable(lake, "lake_dir")
    today = datetime.now(NEW_YORK).date()
    found = refresh_instruments(lake, source, symbols, today, dry_run=dry_run)
    fields = _fields(found)
    if as_object:
        typer.echo(
            as_json({"lake_dir": place, "source": source.name, "written": not dry_run, **fields})
        )
    else:
        typer.echo(_text(place, source.name, found, dry_run=dry_run))
    return 0


def _listing(question: LakeQuestion, settings: Settings) -> BarSource:
    """The first of the sources that lists instruments."""
    folder = question.source_dir and absolute(question.source_dir, "source_dir")
    names = sources(question, settings)
    for name in names:
        here = (folder or None) if name is SourceName.FILES else None
        source = bar_source(name, settings.keys, source_dir=here)
        if source.capability.instruments:
            return source
    allowed = "a source that lists instruments"
    raise ParameterError(
        "source", ",".join(names), allowed, "choose polygon, alpaca, files or synthetic"
    )


def _fields(found: Maintained) -> dict[str, object]:
    return {
        "instruments": len(found.instruments),
        "added": list(found.added),
        "delisted": list(found.delisted),
        "renamed": [{"from": old, "to": new} for old, new in found.renamed],
    }


def _text(place: str, source: str, found: Maintained, *, dry_run: bool) -> str:
    lines = [f"Lake  {place}", "", f"{len(found.instruments):,} instruments, as {source} has them."]
    lines += [f"{symbol} is new." for symbol in found.added]
    lines += [f"{symbol} is not listed any more." for symbol in found.delisted]
    lines += [f"{old} is called {new} now." for old, new in found.renamed]
    if dry_run:
        lines.append("Nothing was written.")
    return "\n".join(lines)
