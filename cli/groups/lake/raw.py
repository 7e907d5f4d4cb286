"""The commands of the lake: `trading lake ...`, and `trading settings`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.exit_codes import exit_codes
from cli.options import DEFAULT_FOLDER, JobPer, Json, LakeDir, Port, ServerDir
from servers.prefect import DEFAULT_PORT

lake = typer.Typer(
    help="Bars of many symbols from raw to signals, as files that SQL can read.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Symbols = Annotated[
    str | None,
    typer.Option(help="Symbols by name, e.g. AAPL,MSFT.", metavar="NAMES"),
]
Universe = Annotated[
    str | None,
    typer.Option(
        help="A named list of symbols instead: one of the lake's reference/universes/, or sample.",
        metavar="NAME",
    ),
]
Intervals = Annotated[
    str | None,
    typer.Option(
        "--interval",
        help="Length of a bar, or several: 1m, 1h, 1d. Default of ingest: TRADING_INTERVALS.",
        metavar="INTERVAL",
    ),
]
Start = Annotated[
    str | None, typer.Option(help="First day, YYYY-MM-DD, in New York.", metavar="DAY")
]
End = Annotated[str | None, typer.Option(help="Last day, inclusive, in New York.", metavar="DAY")]
Source = Annotated[
    str | None,
    typer.Option(
        help="synthetic, files, yahoo, polygon or alpaca; several in order, polygon,yahoo, when "
        "the next is to have what those before it lack.",
        metavar="NAMES",
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Folder or fsspec URL with a file per symbol, for the source files.",
        metavar="DIR",
    ),
]
Timezone = Annotated[
    str | None,
    typer.Option(
        help="Zone of times in these files that name none, e.g. America/New_York.", metavar="ZONE"
    ),
]
Parameters = Annotated[
    str | None,
    typer.Option(help="The strategy's parameters that are not its defaults.", metavar="JSON"),
]


@lake.command()
def ingest(
    *,
    symbols: Symbols = None,
    universe: Universe = None,
    interval: Intervals = None,
    start: Start = None,
    end: End = None,
    source: Source = None,
    source_dir: From = None,
    timezone: Timezone = None,
    grain: Annotated[
        Literal["session", "month", "year"] | None,
        typer.Option(
            help="What a partition covers where none is stored. Default: a session of minutes, a "
            "year of days."
        ),
    ] = None,
    job_per: JobPer = None,
    reprocess: Annotated[
        bool, typer.Option("--reprocess", help="Fetch what is up to date, too.")
    ] = False,
    lake_dir: LakeDir = None,
    port: Port = DEFAULT_PORT,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Fetch raw bars into the lake: what is missing, unsettled or has a gap.

    Every partition is a flow run of its own. Without a range, the last five sessions. Run it
    again after a failure and it asks only for what is missing.

    \b
    Examples:
      trading lake ingest --symbols AAPL,MSFT --start 2024-01-02 --end 2024-01-31
      trading lake ingest --universe sample --interval 1m,1d --source yahoo
      trading lake ingest --symbols AAPL --interval 1d --start 2000-01-01 --from deliveries
      trading lake ingest --symbols AAPL --interval 1m --start 2024-01-02 --grain month

    \b
    Exit codes: 0 all partitions fetched or up to date, 1 failed, 2 wrong usage,
    130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.ingest import IngestOptions, run_ingest  # noqa: PLC0415 - --help stays quick
        from cli.commands.lake.question import LakeQuestion  # noqa: PLC0415 - as above

        question = LakeQuestion(
            symbols=symbols,
            universe=universe,
            interval=interval,
            start=start,
            end=end,
            source=source,
            source_dir=source_dir,
            timezone=timezone,
            grain=grain,
            lake_dir=lake_dir,
        )
        options = IngestOptions(
            job_per=job_per,
            reprocess=reprocess,
            port=port,
            server_dir=server_dir,
            json=json_output,
        )
        raise typer.Exit(run_ingest(question, options))


@lake.command()
def status(
    layer: Annotated[
        Literal["bronze", "silver", "gold"], typer.Argument(help="Which layer of the lake.")
    ] = "bronze",
    *,
    symbols: Symbols = None,
    universe: Universe = None,
    interval: Intervals = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="Strategies of gold. Default: those it has.", metavar="NAMES"),
    ] = None,
    parameters: Parameters = None,
    start: Start = None,
    end: End = None,
    source: Source = None,
    lake_dir: LakeDir = None,
    json_output: Json = False,
) -> None:
    """Print what the lake has of each symbol and session, month or year.

    Without options, of all that is in it, from the first stored day to the last. The commands that
    complete it come last. Nothing is written, and no server is needed.

    \b
    Examples:
      trading lake status
      trading lake status bronze --symbols AAPL,MSFT --interval 1m --start 2024-01-02
      trading lake status silver
      trading lake status gold --strategy vegas_channel --interval 5m
      trading lake status --json | python -m json.tool

    \b
    Exit codes: 0 all is there, 1 failed, 2 wrong usage, 3 something is missing.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.layer_status import run_layer_status  # noqa: PLC0415 - --help stays quick
        from cli.commands.lake.question import LakeQuestion  # noqa: PLC0415 - as above
        from cli.commands.lake.selection import Selection, check_options  # noqa: PLC0415 - as above
        from cli.commands.lake.status import run_status  # noqa: PLC0415 - as above

        given = {
            "interval": interval, "universe": universe, "strategy": strategy, "source": source,
            "parameters": parameters,
        }  # fmt: skip
        check_options(layer, given)
        if layer != "bronze":
            selection = Selection(
                layer=layer,
                symbols=symbols,
                intervals=interval,
                strategies=strategy,
                parameters=parameters,
                sources=source,
                start=start,
                end=end,
                lake_dir=lake_dir,
            )
            raise typer.Exit(run_layer_status(selection, as_object=json_output))
        question = LakeQuestion(
            symbols=symbols,
            universe=universe,
            interval=interval,
            start=start,
            end=end,
            source=source,
            lake_dir=lake_dir,
        )
        raise typer.Exit(run_status(question, as_object=json_output))


@lake.command()
def gaps(
    *,
    symbols: Symbols = None,
    universe: Universe = None,
    interval: Intervals = None,
    start: Start = None,
    end: End = None,
    source: Source = None,
    explained: Annotated[
        bool,
        typer.Option("--explained", help="Also those that are not asked for again."),
    ] = False,
    lake_dir: LakeDir = None,
    json_output: Json = False,
) -> None:
    """Print which bars are missing, by symbol and session, and why.

    Open are those that were not served, failed, or whose session was not over: they are fetched
    again. Explained are minutes in which nobody traded, and suspected halts.

    \b
    Examples:
      trading lake gaps
      trading lake gaps --symbols AAPL --explained
      trading lake gaps --json | python -m json.tool

    \b
    Exit codes: 0 no gap is open, 1 failed, 2 wrong usage, 3 one is.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.gaps import run_gaps  # noqa: PLC0415 - --help stays quick
        from cli.commands.lake.question import LakeQuestion  # noqa: PLC0415 - as above

        question = LakeQuestion(
            symbols=symbols,
            universe=universe,
            interval=interval,
            start=start,
            end=end,
            source=source,
            lake_dir=lake_dir,
        )
        raise typer.Exit(run_gaps(question, explained=explained, as_object=json_output))


@lake.command()
def symbols(
    *,
    symbols: Symbols = None,
    universe: Universe = None,
    source: Source = None,
    source_dir: From = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what has changed, and write nothing.")
    ] = False,
    lake_dir: LakeDir = None,
    json_output: Json = False,
) -> None:
    """Find what was listed, delisted or renamed, and keep it in the lake's reference tables.

    Of all symbols of the lake unless you name some, from the first source that has a list. Outside
    of its listing nothing is expected of a symbol, and a reused one is two instruments.

    \b
    Examples:
      trading lake symbols --source polygon --dry-run
      trading lake symbols --source alpaca --symbols AAPL,MSFT

    \b
    Exit codes: 0 all is up to date, 1 failed, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.question import LakeQuestion  # noqa: PLC0415 - --help stays quick
        from cli.commands.lake.symbols import run_symbols  # noqa: PLC0415 - as above

        question = LakeQuestion(
            symbols=symbols,
            universe=universe,
            source=source,
            source_dir=source_dir,
            lake_dir=lake_dir,
        )
        raise typer.Exit(run_symbols(question, dry_run=dry_run, as_object=json_output))


def settings(*, json_output: Json = False) -> None:
    """Print the settings in force, and where each is from.

    Of trading.yaml and TRADING_ variables the variables win. Secrets are masked.

    \b
    Examples:
      trading settings
      TRADING_JOB_PER=symbol trading settings
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.show_settings import run_settings  # noqa: PLC0415 - --help stays quick

        run_settings(as_object=json_output)
