"""`trading prune`: remove the results that the input no longer asks for, when told to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from cli.pipeline.failures import named_server
from cli.pipeline.query import Places, Question, as_json, contract_names, places, read_orphaned
from cli.settings import installation
from flows.runs.commands import shell_command
from lake.market.orphaned import Orphan, counted, remove_orphaned
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


def run_prune(question: Question, options: PruneOptions) -> int:
    """Print what is orphaned, and remove it once that is confirmed; returns the exit code.

    Raises:
        CommandError: Nobody can confirm it.
        TradingError: It cannot be found out, or a file cannot be removed.
    """
    settings = installation()
    named_server(settings)  # the settings' credentials, where a block has them
    where = places(settings, question)
    names = contract_names(question.contracts)
    orphaned = read_orphaned(where, names)
    if not options.json:
        typer.echo(_text(where, orphaned))
    removed: Sequence[Orphan] = ()
    if orphaned and not options.dry_run:
        if not options.yes:
            _confirm(where, len(orphaned), options)
        # Input and results may have changed while somebody read the list.
        still = {orphan.file for orphan in read_orphaned(where, names)}
        removed = [orphan for orphan in orphaned if orphan.file in still]
        remove_orphaned(where.output_dir, removed)
    if options.json:
        typer.echo(_object(where, orphaned, removed))
    elif removed:
        typer.echo(f"Removed {len(removed):,}.")
    return 0


def prune_command(where: Places, contracts: str | None) -> str:
    """The command that lists and removes what is orphaned there."""
    words = ["--output-dir", where.output_dir, "--input-dir", where.input_dir]
    words += ["--grain", where.grain.value]
    words += ["--contracts", contracts] if contracts else []
    return shell_command("trading", "prune", *words)


def _confirm(where: Places, count: int, options: PruneOptions) -> None:
    if options.json or not sys.stdin.isatty():
        raise CommandError(
            f"yes=False is not enough to remove {count:,} results from {where.output_dir} where "
            "nobody can be asked; look at them with --dry-run, then pass --yes.",
            USAGE,
        )
    if not typer.confirm(f"Remove {count:,} results from {where.output_dir}?", err=True):
        raise CommandError("Nothing was removed.")


def _text(where: Places, orphaned: Sequence[Orphan]) -> str:
    if not orphaned:
        return f"Nothing is orphaned: {where.input_dir} asks for all that is there."
    return "\n".join(
        [
            *(f"{orphan.file}  {orphan.reason.value}" for orphan in orphaned),
            "",
            f"Orphaned: {counted(orphaned)}.",
            f"Results  {where.output_dir}",
            f"Input    {where.input_dir}",
            f"Grain    {where.grain.value}",
        ]
    )


def _object(where: Places, orphaned: Sequence[Orphan], removed: Sequence[Orphan]) -> str:
    return as_json(
        {
            "input_dir": where.input_dir,
            "output_dir": where.output_dir,
            "grain": where.grain.value,
            "orphaned": {orphan.file: orphan.reason.value for orphan in orphaned},
            "removed": [orphan.file for orphan in removed],
        }
    )
