"""The commands that set an installation up: `prepare-storage`, `prepare-database`, `register`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.exit_codes import exit_codes
from cli.options import DEFAULT_FOLDER, ServerDir
from cli.prefect_settings import loading_prefect
from servers.connection import named_api_url


def prepare_storage(
    *,
    sample_contracts: Annotated[
        int | None,
        typer.Option(
            help="Make sample market data for this many contracts if there are none.", min=1
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for a store that does not answer yet.", min=0.0)
    ] = 60.0,
) -> None:
    """Make the buckets of the input, output and lake folders, and sample data if asked.

    TRADING_INPUT_DIR, TRADING_OUTPUT_DIR and TRADING_LAKE_DIR name the folders. Existing buckets
    and data are left unchanged.

    \b
    Examples:
      trading prepare-storage
      trading prepare-storage --sample-contracts 10 --wait 300
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.commands.prepare_storage import prepare_storage  # noqa: PLC0415 - --help stays quick

        for sentence in prepare_storage(sample_contracts, wait):
            typer.echo(sentence)


def prepare_database(*, server_dir: ServerDir = DEFAULT_FOLDER) -> None:
    """Migrate the database of TRADING_DATABASE_URL to the current schema; its data stay.

    Other commands do it too when they need to. This one is for installations in which many
    processes start at once.

    \b
    Examples:
      trading prepare-database
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.database import database_url  # noqa: PLC0415 - --help stays quick
        from cli.settings import installation  # noqa: PLC0415 - as above

        with database_url(installation(), server_dir) as url:
            from database.address import place  # noqa: PLC0415 - an extra brings what it needs
            from database.connection import SCHEMA  # noqa: PLC0415 - as above

            typer.echo(f"The database at {place(url)} has schema {SCHEMA}.")


def register(
    *,
    pool: Annotated[
        str | None,
        typer.Option(help="Name of the work pool. Default: TRADING_WORK_POOL, else trading."),
    ] = None,
    work_pool_type: Annotated[
        str | None,
        typer.Option(
            help="Type of the pool, kubernetes or process; refused if the pool has another.",
            metavar="TYPE",
        ),
    ] = None,
    base_job_template: Annotated[
        Path | None,
        typer.Option(help="JSON file with the pool's base job template.", metavar="FILE"),
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="Image of the jobs, short for --job-variable image=IMAGE.")
    ] = None,
    job_variable: Annotated[
        list[str] | None,
        typer.Option(
            help="Variable of the jobs, of one deployment's with its name before it: "
            "orchestrator:memory_limit=2Gi. May be repeated.",
            metavar="[DEPLOYMENT:]NAME=VALUE",
        ),
    ] = None,
    partition_limit: Annotated[
        int | None,
        typer.Option(help="Partition jobs that exist at once.", min=1, metavar="N"),
    ] = None,
    schedules: Annotated[
        bool | None,
        typer.Option(
            "--schedules/--no-schedules",
            help="Turn the schedules on or off. Default: unchanged; off at first.",
        ),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            help="Longest time for the server to answer, and for the partition to end.",
            min=0,
            metavar="SECONDS",
        ),
    ] = 60.0,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail when something is different.")
    ] = False,
    run_partition: Annotated[
        bool,
        typer.Option(
            "--run-partition", help="Then run one partition of a sample through the pool."
        ),
    ] = False,
) -> None:
    """Register the work pool and all deployments on the server of PREFECT_API_URL.

    Running it again changes nothing but the image, if that is new. --check only compares.

    \b
    Examples:
      trading register
      trading register --work-pool-type kubernetes --base-job-template template.json \\
          --image registry.example.com/trading-fanout:1.0.0
      trading register --check --run-partition

    \b
    Exit codes: 0 all is registered, 1 it is not, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        named_api_url()
        with loading_prefect():
            from cli.commands.register import RegisterOptions, run_register  # noqa: PLC0415 - --help stays quick

        run_register(
            RegisterOptions(
                pool=pool,
                pool_type=work_pool_type,
                base_job_template=base_job_template,
                image=image,
                job_variables=job_variable or [],
                partition_limit=partition_limit,
                schedules=schedules,
                wait=wait,
                check=check,
                run_partition=run_partition,
            )
        )
