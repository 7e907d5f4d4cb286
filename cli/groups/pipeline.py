"""The commands that run the pipeline: `demo` and `up`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.exit_codes import exit_codes
from cli.options import DEFAULT_FOLDER, GrainName, JobPer, Json, Port, ServerDir
from servers.prefect import DEFAULT_PORT


def demo(
    *,
    contracts: Annotated[
        str | None,
        typer.Option(
            help="How many contracts, or which: 10 or AAPL,MSFT. Default: all of the data.",
            metavar="N|NAMES",
        ),
    ] = None,
    job_per: JobPer = None,
    grain: Annotated[GrainName, typer.Option(help="What one partition covers.")] = "bar",
    input_dir: Annotated[
        str | None,
        typer.Option(
            help="Market data, a path or fsspec URL. Default: TRADING_INPUT_DIR, else a sample.",
            metavar="URL",
        ),
    ] = None,
    output_dir: Annotated[
        str | None,
        typer.Option(help="Where results go, a path or fsspec URL.", metavar="URL"),
    ] = None,
    make_sample: Annotated[
        bool,
        typer.Option("--make-sample", help="Make sample data in --input-dir when it has none."),
    ] = False,
    reprocess: Annotated[
        bool, typer.Option("--reprocess", help="Redo partitions that are up to date.")
    ] = False,
    s3: Annotated[
        bool,
        typer.Option(
            "--s3", help="Use an S3 server that is started for the run and keeps its data."
        ),
    ] = False,
    port: Port = DEFAULT_PORT,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep the server and its UI up until Ctrl-C.")
    ] = False,
) -> None:
    """Run the whole pipeline once and print the portfolio.

    Makes sample data if no input is named, and starts a Prefect server for the duration unless
    PREFECT_API_URL names one. Partitions that are up to date are skipped, so running it again
    after a failure does only what is missing.

    \b
    Examples:
      trading demo
      trading demo --contracts AAPL,MSFT --reprocess
      trading demo --grain session --job-per symbol
      trading demo --json | python -m json.tool
      trading demo --s3

    \b
    Exit codes: 0 all partitions completed or up to date, 1 failed, 2 wrong usage,
    130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.demo import DemoOptions, run_demo  # noqa: PLC0415 - --help stays quick

        options = DemoOptions(
            contracts=contracts,
            job_per=job_per,
            grain=grain,
            input_dir=input_dir,
            output_dir=output_dir,
            make_sample=make_sample,
            reprocess=reprocess,
            port=port,
            server_dir=server_dir,
            json=json_output,
            serve=serve,
            s3=s3,
        )
        raise typer.Exit(run_demo(options))


def up(
    *,
    port: Port = DEFAULT_PORT,
    server_dir: ServerDir = DEFAULT_FOLDER,
    postgres: Annotated[
        bool, typer.Option("--postgres", help="Keep the server's data in a local Postgres.")
    ] = False,
    schedules: Annotated[bool, typer.Option("--schedules", help="Turn the schedules on.")] = False,
) -> None:
    """Keep a Prefect server and a worker running until Ctrl-C.

    Registers the deployments, so `prefect deployment run` works in another terminal. The UI also
    shows the earlier runs of `trading demo`. If PREFECT_API_URL is set, that server is used.

    \b
    Examples:
      trading up
      trading up --port 4300
      trading up --postgres --schedules
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.commands.up import UpOptions, run_up  # noqa: PLC0415 - --help stays quick

        run_up(UpOptions(port=port, server_dir=server_dir, postgres=postgres, schedules=schedules))
