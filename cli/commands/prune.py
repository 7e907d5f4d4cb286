"""`trading prune`: remove the results that the input no longer asks for, when told to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from cli.exit_codes import confirm
from cli.pipeline.failures import named_server
from cli.pipeline.query import PartitionQuery, as_json, stored_request_of
from cli.settings import installation
from flows.runs.commands import shell_command
from lake.market.orphaned import Orphan, counted, orphaned_results, remove_orphaned
from lake.market.request import MarketRequest
from servers.errors import USAGE, CommandError


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneOptions:
    """How to remove what is orphaned.

    Attributes:
        dry_run: Whether to print the results and stop.
        yes: Whether to remove them without asking.
        json: Whether to print one JSON object instead of text.
    """

    dry_run: bool
    yes: bool
    json: bool


def run_prune(query: PartitionQuery, options: PruneOptions) -> int:
    """Print what is orphaned, and remove it once that is confirmed; returns the exit code.

    Raises:
        CommandError: Nobody can confirm it, or the person who is asked says no.
        TradingError: It cannot be found out, or a file cannot be removed.
    """
    settings = installation()
    named_server(settings)  # the settings' credentials, where a block has them
    request = stored_request_of(settings, query)
    orphaned = orphaned_results(request)
    if not options.json:
        typer.echo(_text(request, orphaned))
    removed: Sequence[Orphan] = ()
    if orphaned and not options.dry_run:
        if not options.yes:
            _confirm(request, len(orphaned), options)
        # Input and results may have changed while somebody read the list.
        still = {orphan.file for orphan in orphaned_results(request)}
        removed = [orphan for orphan in orphaned if orphan.file in still]
        remove_orphaned(request.output_dir, removed)
    if options.json:
        typer.echo(_object(request, orphaned, removed))
    elif removed:
        typer.echo(f"Removed {len(removed):,}.")
    return 0


def prune_command(request: MarketRequest, contracts: str | None) -> str:
    """The command that lists and removes what is orphaned there."""
    words = ["--output-dir", request.output_dir.location, "--input-dir", request.input_dir.location]
    words += ["--grain", request.grain.value]
    words += ["--contracts", contracts] if contracts else []
    return shell_command("trading", "prune", *words)


def _confirm(request: MarketRequest, count: int, options: PruneOptions) -> None:
    place = request.output_dir.location
    if options.json or not sys.stdin.isatty():
        raise CommandError(
            f"yes=False is not enough to remove {count:,} results from {place} where nobody can be "
            "asked; look at them with --dry-run, then pass --yes.",
            USAGE,
        )
    confirm(f"Remove {count:,} results from {place}?")


def _text(request: MarketRequest, orphaned: Sequence[Orphan]) -> str:
    if not orphaned:
        return f"Nothing is orphaned: {request.input_dir.location} asks for all that is there."
    return "\n".join(
        [
            *(f"{orphan.file}  {orphan.reason.value}" for orphan in orphaned),
            "",
            f"Orphaned: {counted(orphaned)}.",
            f"Results  {request.output_dir.location}",
            f"Input    {request.input_dir.location}",
            f"Grain    {request.grain.value}",
        ]
    )


def _object(request: MarketRequest, orphaned: Sequence[Orphan], removed: Sequence[Orphan]) -> str:
    return as_json(
        {
            "input_dir": request.input_dir.location,
            "output_dir": request.output_dir.location,
            "grain": request.grain.value,
            "orphaned": {orphan.file: orphan.reason.value for orphan in orphaned},
            "removed": [orphan.file for orphan in removed],
        }
    )
