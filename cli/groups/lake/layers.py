"""The commands that make and read bars and signals: `lake demo`, `build`, `redo` and `sql`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.exit_codes import exit_codes
from cli.groups.lake.raw import End, From, Parameters, Start, Timezone, Universe
from cli.options import DEFAULT_FOLDER, JobPer, Json, LakeDir, Port, ServerDir
from servers.prefect import DEFAULT_PORT

Layer = Annotated[
    Literal["silver", "gold"] | None,
    typer.Argument(help="The layer. Default: silver, then gold.", show_default=False),
]
Symbols = Annotated[
    str | None,
    typer.Option(help="Symbols, e.g. AAPL,MSFT. Default: all of the lake.", metavar="NAMES"),
]
Intervals = Annotated[
    str, typer.Option("--interval", help="Intervals of gold, e.g. 5m,1d.", metavar="INTERVALS")
]
Strategies = Annotated[
    str,
    typer.Option(
        "--strategy", help="Strategies of gold; see trading strategy list.", metavar="NAMES"
    ),
]
Sources = Annotated[
    str | None,
    typer.Option(
        help="Sources of bronze, the first counts first. Default: the only one.", metavar="NAMES"
    ),
]


def build(
    layer: Layer = None,
    *,
    symbols: Symbols = None,
    interval: Intervals = "5m,1d",
    strategy: Strategies = "vegas_channel",
    parameters: Parameters = None,
    source: Sources = None,
    start: Start = None,
    end: End = None,
    lake_dir: LakeDir = None,
    job_per: JobPer = None,
    reprocess: Annotated[
        bool, typer.Option("--reprocess", help="Redo partitions that are up to date.")
    ] = False,
    port: Port = DEFAULT_PORT,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Make silver and gold from the bronze that there is, whatever of them is not up to date.

    Silver is bars of all intervals, gold a strategy's indicators and signals. Each partition is a
    flow run, on the server that PREFECT_API_URL names, else on one of its own.

    \b
    Examples:
      trading lake build
      trading lake build silver --symbols AAPL,MSFT
      trading lake build gold --strategy rsi_reversion,macd_cross --interval 5m,13m,1d
      trading lake build gold --parameters '{"lost_window": 20}' --start 2024-01-02

    \b
    Exit codes: 0 all completed or up to date, 1 failed, 2 wrong usage,
    130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.build import run_build  # noqa: PLC0415 - --help stays quick
        from cli.commands.lake.medallion_run import RunOptions  # noqa: PLC0415 - as above
        from cli.commands.lake.selection import Selection  # noqa: PLC0415 - as above

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
        options = RunOptions(job_per=job_per, port=port, server_dir=server_dir, json=json_output)
        raise typer.Exit(run_build(selection, options, reprocess=reprocess))


def redo(
    layer: Annotated[
        Literal["bronze", "silver", "gold"] | None,
        typer.Argument(help="The layer. Default: bronze, with --gaps.", show_default=False),
    ] = None,
    *,
    only_gaps: Annotated[
        bool, typer.Option("--gaps", help="Only bronze with open gaps, as far as asked for.")
    ] = False,
    symbols: Symbols = None,
    universe: Universe = None,
    interval: Annotated[
        str | None,
        typer.Option(
            help="Intervals of bronze or gold. Default: all of bronze; 5m,1d of gold.",
            metavar="INTERVALS",
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="Strategies of gold. Default: vegas_channel.", metavar="NAMES"),
    ] = None,
    parameters: Parameters = None,
    start: Start = None,
    end: End = None,
    source: Annotated[
        str | None,
        typer.Option(help="Sources of bronze. Default: all there are.", metavar="NAMES"),
    ] = None,
    source_dir: From = None,
    timezone: Timezone = None,
    job_per: JobPer = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the files that would be made again, and stop.")
    ] = False,
    lake_dir: LakeDir = None,
    port: Port = DEFAULT_PORT,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Make partitions of a layer again, whether they are up to date or not.

    Bronze is fetched again, each partition from the source that it is of. What that changes in the
    layers above is made by trading lake build.

    \b
    Examples:
      trading lake redo --gaps --dry-run
      trading lake redo bronze --symbols AAPL --interval 1m --start 2024-01-02 --end 2024-01-31
      trading lake redo silver --symbols AAPL,MSFT --start 2024-01-02 --end 2024-01-05
      trading lake redo gold --strategy rsi_reversion --interval 5m

    \b
    Exit codes: 0 all completed or there were none, 1 failed, 2 wrong usage,
    130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.ingest import IngestOptions, run_refetch  # noqa: PLC0415 - --help stays quick
        from cli.commands.lake.medallion_run import RunOptions  # noqa: PLC0415 - as above
        from cli.commands.lake.question import LakeQuestion  # noqa: PLC0415 - as above
        from cli.commands.lake.redo import layer_to_redo, run_redo  # noqa: PLC0415 - as above
        from cli.commands.lake.selection import (  # noqa: PLC0415 - as above
            DEFAULT_INTERVALS,
            DEFAULT_STRATEGY,
            Selection,
            check_options,
        )

        given = {
            "interval": interval, "universe": universe, "strategy": strategy, "source": source,
            "parameters": parameters, "from": source_dir, "timezone": timezone,
        }  # fmt: skip
        chosen = layer_to_redo(layer, only_gaps=only_gaps)
        check_options(chosen, given)
        if chosen != "bronze":
            selection = Selection(
                layer=chosen,
                symbols=symbols,
                intervals=interval or DEFAULT_INTERVALS,
                strategies=strategy or DEFAULT_STRATEGY,
                parameters=parameters,
                sources=source,
                start=start,
                end=end,
                lake_dir=lake_dir,
            )
            options = RunOptions(
                job_per=job_per, port=port, server_dir=server_dir, json=json_output
            )
            raise typer.Exit(run_redo(selection, options, dry_run=dry_run))
        question = LakeQuestion(
            symbols=symbols,
            universe=universe,
            interval=interval,
            start=start,
            end=end,
            source=source,
            source_dir=source_dir,
            timezone=timezone,
            lake_dir=lake_dir,
        )
        fetching = IngestOptions(
            job_per=job_per, reprocess=True, port=port, server_dir=server_dir, json=json_output
        )
        raise typer.Exit(run_refetch(question, fetching, only_gaps=only_gaps, dry_run=dry_run))


def demo(
    *,
    lake_dir: LakeDir = None,
    job_per: JobPer = None,
    port: Port = DEFAULT_PORT,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep the server and its UI up until Ctrl-C.")
    ] = False,
) -> None:
    """Make raw bars, bars of all intervals and signals of ten synthetic symbols, in one go.

    Twenty sessions of minutes; each partition is a flow run, on the server that PREFECT_API_URL
    names, else on one of its own. Ends with what was made, what it says, and where to look. Run it
    again and it finds everything up to date.

    \b
    Examples:
      trading lake demo
      trading lake demo --lake-dir output/trial --serve
      trading lake demo --json | python -m json.tool

    \b
    Exit codes: 0 all completed or up to date, 1 failed, 2 wrong usage,
    130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.demo import run_demo  # noqa: PLC0415 - --help stays quick
        from cli.commands.lake.medallion_run import RunOptions  # noqa: PLC0415 - as above

        options = RunOptions(
            job_per=job_per, port=port, server_dir=server_dir, json=json_output, serve=serve
        )
        raise typer.Exit(run_demo(lake_dir, options))


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT statement.", metavar="SELECT")],
    *,
    form: Annotated[
        Literal["table", "csv", "json", "parquet"],
        typer.Option("--format", help="How to print the answer."),
    ] = "table",
    lake_dir: LakeDir = None,
) -> None:
    """Answer one SELECT over the views bronze, silver, silver_days and gold.

    Reads the lake's files and nothing else, and writes nothing. A condition on symbol, interval,
    source or strategy leaves out whole files.

    \b
    Examples:
      trading lake sql "SELECT symbol, count(*) FROM silver WHERE interval = '5m' GROUP BY symbol"
      trading lake sql "FROM gold WHERE symbol = 'AAPL' AND signal = 'buy'" --format csv
      trading lake sql "DESCRIBE gold"

    \b
    Exit codes: 0 answered, 1 failed, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.commands.lake.sql import run_sql  # noqa: PLC0415 - --help stays quick

        run_sql(query, form, lake_dir)
