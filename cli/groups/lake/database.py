"""The commands that keep lake and database in order: `lake load`, `lake prune`, `lake compact`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.exit_codes import exit_codes
from cli.groups.lake.raw import Intervals, Symbols, Universe
from cli.options import DEFAULT_FOLDER, Json, LakeDir, ServerDir

Source = Annotated[
    str | None,
    typer.Option(
        help="Which source's bars count, the first one first, where the lake has several of a "
        "symbol. Default: the order of TRADING_SOURCES.",
        metavar="NAMES",
    ),
]


def load(
    *,
    symbols: Symbols = None,
    universe: Universe = None,
    interval: Intervals = None,
    source: Source = None,
    lake_dir: LakeDir = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Bring the database up to date with the lake: bars of 1m and 1d, and reference data.

    Only files that changed since they were loaded, and months that TRADING_DATABASE_YEARS keeps.
    Stop it whenever you like and run it again; an emptied database is filled anew. Without
    TRADING_DATABASE_URL the database is a server in .trading/postgres, started for the command.

    \b
    Examples:
      trading lake load
      trading lake load --symbols AAPL,MSFT --interval 1d
      trading lake load --source polygon,yahoo --json

    \b
    Exit codes: 0 all is loaded, 1 failed, 2 wrong usage, 130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.load import run_load  # noqa: PLC0415 - --help stays quick
        from cli.commands.lake.question import LakeQuestion  # noqa: PLC0415 - as above

        question = LakeQuestion(
            symbols=symbols, universe=universe, interval=interval, source=source, lake_dir=lake_dir
        )
        raise typer.Exit(run_load(question, server_dir, as_object=json_output))


def prune(
    *,
    lake_dir: LakeDir = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the months that are too old, and stop.")
    ] = False,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Drop months of bars from the database that are older than TRADING_DATABASE_YEARS.

    A month is dropped once every bar of it was found in the lake, with the same values; nothing is
    ever removed from the lake. What could not be dropped has its turn with the next run.

    \b
    Examples:
      trading lake prune --dry-run
      TRADING_DATABASE_YEARS=2 trading lake prune

    \b
    Exit codes: 0 none is left that is too old, 1 one had to be kept,
    2 wrong usage, 130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.prune import run_prune  # noqa: PLC0415 - --help stays quick

        raise typer.Exit(run_prune(lake_dir, server_dir, dry_run=dry_run, as_object=json_output))


def compact(
    *,
    symbols: Symbols = None,
    lake_dir: LakeDir = None,
    grace_minutes: Annotated[
        float,
        typer.Option(min=0, help="How long session files stay beside the month that has them."),
    ] = 60,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print how many months are due, and stop.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Put the session files of bronze and silver into one file for each settled month.

    Nothing that is read changes, and nothing is computed again. The session files are removed by a
    run that comes an hour after their month was written, because somebody may be reading them. It
    may run beside a redo of old sessions and beside another compaction; stop it whenever you like
    and run it again.

    \b
    Examples:
      trading lake compact --dry-run
      trading lake compact
      trading lake compact --symbols AAPL,MSFT --grace-minutes 0

    \b
    Exit codes: 0 all is compacted or waits, 1 a month failed, 2 wrong usage,
    130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.compact import run_compact  # noqa: PLC0415 - --help stays quick

        raise typer.Exit(
            run_compact(
                lake_dir,
                symbols,
                grace_minutes=grace_minutes,
                dry_run=dry_run,
                as_object=json_output,
            )
        )
