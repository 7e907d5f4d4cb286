"""The command `trading`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.errors import FAILED, USAGE, CommandError
from cli.local_server import DEFAULT_PORT, default_folder
from cli.stop_signals import StopSignals
from trading.errors import ParameterError, TradingError

app = typer.Typer(
    help="Analyse hourly prices of many contracts, each contract and timestamp a Prefect flow run.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Port = Annotated[
    int,
    typer.Option(
        help="Port of the local Prefect server; 0 takes a free one. Not used with PREFECT_API_URL.",
        metavar="PORT",
    ),
]
DEFAULT_FOLDER = default_folder()
ServerDir = Annotated[
    Path,
    typer.Option(
        help="Folder that keeps the local server's database and logs between runs.",
        envvar="TRADING_SERVER_DIR",
        metavar="PATH",
        show_default=".trading in the project",
    ),
]


def main() -> None:
    """Run the command line; the console script's entry point."""
    app()


@contextlib.contextmanager
def exit_codes(*, as_json: bool = False) -> Iterator[None]:
    """End the process with one sentence and the right exit code, whatever happens inside.

    Args:
        as_json: Whether standard output must hold one JSON object even then.
    """
    signals = StopSignals()
    signals.install()
    try:
        yield
    except (CommandError, TradingError) as error:
        typer.echo(str(error), err=True)
        _echo_status("error", str(error), as_json=as_json)
        raise typer.Exit(_exit_code(error)) from None
    except KeyboardInterrupt:
        message = "Stopped; the same command goes on with what is missing."
        typer.echo(message, err=True)
        _echo_status("interrupted", message, as_json=as_json)
        raise typer.Exit(signals.exit_code) from None


def _exit_code(error: CommandError | TradingError) -> int:
    if isinstance(error, CommandError):
        return error.exit_code
    return USAGE if isinstance(error, ParameterError) else FAILED


def _echo_status(status: str, message: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"status": status, "message": message}))


@app.command()
def demo(
    *,
    contracts: Annotated[
        str | None,
        typer.Option(help="How many contracts, or which: 10 or AAPL,MSFT.", metavar="N|NAMES"),
    ] = None,
    job_per: Annotated[
        Literal["run", "symbol", "partition"] | None,
        typer.Option(help="What runs in a process of its own. Default: TRADING_JOB_PER, else run."),
    ] = None,
    grain: Annotated[
        Literal["bar", "session", "month", "year", "all"],
        typer.Option(help="What one partition covers."),
    ] = "bar",
    input_dir: Annotated[
        str | None,
        typer.Option(
            help="Market data, a path or fsspec URL; a sample is made when empty.", metavar="URL"
        ),
    ] = None,
    output_dir: Annotated[
        str | None,
        typer.Option(help="Where results go, a path or fsspec URL.", metavar="URL"),
    ] = None,
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
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; all else on standard error.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep the server and its UI up until Ctrl-C.")
    ] = False,
) -> None:
    """Run the whole pipeline once and print the portfolio.

    Makes sample data when there are none and starts a Prefect server for the time it takes,
    unless PREFECT_API_URL names one. What is up to date is skipped: run it again after a
    failure and it does only what is missing.

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
        from cli.demo import DemoOptions, run_demo  # noqa: PLC0415 - --help stays quick

        options = DemoOptions(
            contracts=contracts,
            job_per=job_per,
            grain=grain,
            input_dir=input_dir,
            output_dir=output_dir,
            reprocess=reprocess,
            port=port,
            server_dir=server_dir,
            json=json_output,
            serve=serve,
            s3=s3,
        )
        raise typer.Exit(run_demo(options))


@app.command()
def up(*, port: Port = DEFAULT_PORT, server_dir: ServerDir = DEFAULT_FOLDER) -> None:
    """Keep a Prefect server, a worker and the deployments up, until Ctrl-C.

    Then `prefect deployment run` works in another terminal, and the UI shows every run that
    `trading demo` made before. With PREFECT_API_URL set, that server is used.

    \b
    Examples:
      trading up
      trading up --port 4300
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.up import run_up  # noqa: PLC0415 - --help stays quick

        run_up(port, server_dir)


@app.command()
def prepare_storage(
    *,
    sample_contracts: Annotated[
        int | None,
        typer.Option(
            help="Make sample market data for so many contracts when there are none.", min=1
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for a store that does not answer yet.", min=0.0)
    ] = 60.0,
) -> None:
    """Make the buckets of TRADING_INPUT_DIR and TRADING_OUTPUT_DIR, and sample data if asked.

    What is there already is left as it is.

    \b
    Examples:
      trading prepare-storage
      trading prepare-storage --sample-contracts 10 --wait 300
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.prepare_storage import prepare_storage  # noqa: PLC0415 - --help stays quick

        for sentence in prepare_storage(sample_contracts, wait):
            typer.echo(sentence)


@app.command()
def register(
    *,
    pool: Annotated[
        str | None,
        typer.Option(help="Name of the work pool. Default: TRADING_WORK_POOL, else trading."),
    ] = None,
    work_pool_type: Annotated[
        str | None,
        typer.Option(
            help="Type of the pool, kubernetes or process; refused when it has another.",
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
    """Register the work pool and the six deployments on the server of PREFECT_API_URL.

    Done again it changes nothing; with a new image it changes that. With --check it only looks.

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
        from cli.register import RegisterOptions, run_register  # noqa: PLC0415 - --help stays quick

        run_register(
            RegisterOptions(
                pool=pool,
                pool_type=work_pool_type,
                base_job_template=base_job_template,
                image=image,
                job_variables=job_variable or [],
                partition_limit=partition_limit,
                wait=wait,
                check=check,
                run_partition=run_partition,
            )
        )
