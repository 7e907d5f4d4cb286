"""The command `trading`: its subcommands, in the order in which `--help` lists them."""

from __future__ import annotations

import os

import typer

from cli.cluster_commands import prepare_storage, register
from cli.pipeline_commands import demo, up
from cli.result_commands import prune, redo, report, status
from servers.loopback import bypass_proxies

app = typer.Typer(
    help="Analyse hourly prices of many contracts, each contract and timestamp a Prefect flow run.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (demo, up, status, redo, report, prune, prepare_storage, register):
    app.command()(command)


def main() -> None:
    """Run the command line; the console script's entry point."""
    bypass_proxies(os.environ)
    app()
