"""The commands that look at results: `status`, `redo`, `report` and `prune`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.exit_codes import exit_codes
from cli.options import (
    DEFAULT_FOLDER,
    Contracts,
    First,
    InputDir,
    JobPer,
    Json,
    Last,
    OutputDir,
    Port,
    ServerDir,
    StoredGrain,
    StoredStrategy,
)
from servers.prefect import DEFAULT_PORT


def status(
    *,
    output_dir: OutputDir = None,
    input_dir: InputDir = None,
    contracts: Contracts = None,
    first: First = None,
    last: Last = None,
    grain: StoredGrain = None,
    strategy: StoredStrategy = None,
    json_output: Json = False,
) -> None:
    """Print which partitions are done, stale, missing and failed.

    A partition is stale when its prices, parameters or the analysis have changed since it was
    computed. It is failed when it is not done and its last flow run failed, according to the
    server of PREFECT_API_URL. Results that the input does not ask for are orphaned: they are
    counted and named. The commands that complete the rest come last. Nothing is written.

    \b
    Examples:
      trading status
      trading status --output-dir s3://bucket/results --contracts AAPL,MSFT
      trading status --from 2024-01-03 --to 2024-01-04
      trading status --strategy '{"beta_window": 60}'
      trading status --json | python -m json.tool

    \b
    Exit codes: 0 all is done, 1 failed, 2 wrong usage, 3 something is not done.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.status import run_status  # noqa: PLC0415 - as above
        from cli.pipeline.query import PartitionQuery  # noqa: PLC0415 - --help stays quick

        query = PartitionQuery(
            contracts=contracts,
            first=first,
            last=last,
            input_dir=input_dir,
            output_dir=output_dir,
            grain=grain,
            strategy=strategy,
        )
        raise typer.Exit(run_status(query, as_object=json_output))


def redo(
    *,
    only: Annotated[
        Literal["failed", "missing", "stale"] | None,
        typer.Option(help="Redo only these; see trading status. Default: all three."),
    ] = None,
    contracts: Contracts = None,
    first: First = None,
    last: Last = None,
    output_dir: OutputDir = None,
    input_dir: InputDir = None,
    grain: StoredGrain = None,
    strategy: StoredStrategy = None,
    job_per: JobPer = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be redone, and stop.")
    ] = False,
    port: Port = DEFAULT_PORT,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Run exactly what is failed, missing or stale.

    Each partition is a flow run, on the server that PREFECT_API_URL names or, like trading demo,
    on a local one. The portfolio and its report are then made again from all results.

    \b
    Examples:
      trading redo --dry-run
      trading redo --contracts AAPL,MSFT --from 2024-01-03 --to 2024-01-04 --only missing
      trading redo --only stale --output-dir s3://bucket/results
      PREFECT_API_URL=http://127.0.0.1:4200/api trading redo --only failed

    \b
    Exit codes: 0 all of them completed or there were none, 1 failed,
    2 wrong usage, 130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.redo import RedoOptions, run_redo  # noqa: PLC0415 - --help stays quick
        from cli.pipeline.query import PartitionQuery  # noqa: PLC0415 - as above

        query = PartitionQuery(
            contracts=contracts,
            first=first,
            last=last,
            input_dir=input_dir,
            output_dir=output_dir,
            grain=grain,
            strategy=strategy,
        )
        options = RedoOptions(
            only=only,
            job_per=job_per,
            dry_run=dry_run,
            port=port,
            server_dir=server_dir,
            json=json_output,
        )
        raise typer.Exit(run_redo(query, options))


def report(
    *,
    output_dir: OutputDir = None,
    input_dir: InputDir = None,
    grain: StoredGrain = None,
    cost_bps: Annotated[
        float | None,
        typer.Option(
            help="Cost of one trade in basis points. Default: that of the stored portfolio.",
            min=0,
            max=1_000,
            metavar="BPS",
        ),
    ] = None,
    open_it: Annotated[
        bool, typer.Option("--open", help="Open the report in the browser.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Make the portfolio and its report from existing results.

    The report is one HTML file that opens offline: OUTPUT_DIR/_portfolio/report.html. It
    contains what the market data ask for, says which of that is stale or missing, and names any
    other results. Needs no Prefect server.

    \b
    Examples:
      trading report --open
      trading report --output-dir s3://bucket/results --input-dir s3://bucket/input
      trading report --cost-bps 2.5

    \b
    Exit codes: 0 written, 1 failed, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.report import run_report  # noqa: PLC0415 - --help stays quick
        from cli.pipeline.query import PartitionQuery  # noqa: PLC0415 - as above

        query = PartitionQuery(output_dir=output_dir, input_dir=input_dir, grain=grain)
        run_report(query, cost_bps=cost_bps, show=open_it, as_object=json_output)


def prune(
    *,
    contracts: Annotated[
        str | None,
        typer.Option(
            help="Only of these contracts, in the market data or not. Default: all.",
            metavar="NAMES",
        ),
    ] = None,
    output_dir: OutputDir = None,
    input_dir: InputDir = None,
    grain: StoredGrain = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be removed, and stop.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it without asking.")] = False,
    json_output: Json = False,
) -> None:
    """Remove results that the market data no longer ask for.

    Orphaned results belong to bars or contracts that have left the market data, or to another
    grain. No portfolio counts them, and only this command removes them. It lists them and asks
    first.

    \b
    Examples:
      trading prune --dry-run
      trading prune --contracts AAPL,MSFT
      trading prune --output-dir s3://bucket/results --input-dir s3://bucket/input --yes

    \b
    Exit codes: 0 removed or there was nothing, 1 failed or declined,
    2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.prune import PruneOptions, run_prune  # noqa: PLC0415 - --help stays quick
        from cli.pipeline.query import PartitionQuery  # noqa: PLC0415 - as above

        query = PartitionQuery(
            contracts=contracts, input_dir=input_dir, output_dir=output_dir, grain=grain
        )
        options = PruneOptions(dry_run=dry_run, yes=yes, json=json_output)
        raise typer.Exit(run_prune(query, options))
