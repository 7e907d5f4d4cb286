"""The commands that make and read the lake's bars and signals: `lake build`, `redo` and `sql`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.exit_codes import exit_codes
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
Parameters = Annotated[
    str | None,
    typer.Option(help="The strategy's parameters that are not its defaults.", metavar="JSON"),
]
Sources = Annotated[
    str | None,
    typer.Option(
        help="Sources of bronze, the first counts first. Default: the only one.", metavar="NAMES"
    ),
]
First = Annotated[str | None, typer.Option("--from", help="First day.", metavar="DAY")]
Last = Annotated[str | None, typer.Option("--to", help="Last day, included.", metavar="DAY")]


def build(
    layer: Layer = None,
    *,
    symbols: Symbols = None,
    interval: Intervals = "5m,1d",
    strategy: Strategies = "vegas_channel",
    parameters: Parameters = None,
    sources: Sources = None,
    first: First = None,
    last: Last = None,
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
      trading lake build gold --parameters '{"lost_window": 20}' --from 2024-01-02

    \b
    Exit codes: 0 all completed or up to date, 1 failed, 2 wrong usage, 130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.build import (  # noqa: PLC0415 - --help stays quick
            BuildOptions,
            Selection,
            run_build,
        )

        selection = Selection(
            layer=layer,
            symbols=symbols,
            intervals=interval,
            strategies=strategy,
            parameters=parameters,
            sources=sources,
            first=first,
            last=last,
            lake_dir=lake_dir,
        )
        options = BuildOptions(
            job_per=job_per,
            reprocess=reprocess,
            port=port,
            server_dir=server_dir,
            json=json_output,
        )
        raise typer.Exit(run_build(selection, options))


def rebuild(
    layer: Layer = None,
    *,
    only: Annotated[
        Literal["missing", "stale"] | None,
        typer.Option(help="Redo only these. Default: both."),
    ] = None,
    symbols: Symbols = None,
    interval: Intervals = "5m,1d",
    strategy: Strategies = "vegas_channel",
    parameters: Parameters = None,
    sources: Sources = None,
    first: First = None,
    last: Last = None,
    lake_dir: LakeDir = None,
    job_per: JobPer = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be redone, and stop.")
    ] = False,
    port: Port = DEFAULT_PORT,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Run exactly the partitions of silver and gold that are missing or stale now.

    A partition is stale when its bronze or silver, the hours of its sessions, an action in force
    or a parameter has changed. What its redoing makes stale is redone by trading lake build.

    \b
    Examples:
      trading lake rebuild --dry-run
      trading lake rebuild silver --only stale --symbols AAPL
      trading lake rebuild gold --strategy rsi_reversion --interval 5m

    \b
    Exit codes: 0 all of them completed or there were none, 1 failed, 2 wrong usage, 130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.lake.build import (  # noqa: PLC0415 - --help stays quick
            BuildOptions,
            Selection,
            run_redo,
        )

        selection = Selection(
            layer=layer,
            symbols=symbols,
            intervals=interval,
            strategies=strategy,
            parameters=parameters,
            sources=sources,
            first=first,
            last=last,
            lake_dir=lake_dir,
        )
        options = BuildOptions(
            job_per=job_per,
            reprocess=False,
            port=port,
            server_dir=server_dir,
            json=json_output,
        )
        raise typer.Exit(run_redo(selection, options, only, dry_run=dry_run))


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
