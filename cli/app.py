"""The command `trading`: its subcommands, in the order in which `--help` lists them."""

from __future__ import annotations

import os

import typer

from cli.api_commands import api, keys
from cli.cluster_commands import prepare_storage, register
from cli.lake_commands import lake, settings
from cli.lake_data_commands import build, sql
from cli.lake_data_commands import demo as lake_demo
from cli.lake_data_commands import redo as redo_partitions
from cli.operations_commands import backup, health, restore
from cli.pipeline_commands import demo, up
from cli.result_commands import prune, redo, report, status
from cli.strategy_commands import list_strategies, show
from servers.loopback import bypass_proxies

app = typer.Typer(
    help="Analyse hourly prices of many contracts, each contract and timestamp a Prefect flow run.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    demo,
    up,
    status,
    redo,
    report,
    prune,
    settings,
    api,
    health,
    backup,
    restore,
    prepare_storage,
    register,
):
    app.command()(command)
lake.command("demo")(lake_demo)
lake.command()(build)
lake.command("redo")(redo_partitions)
lake.command()(sql)
app.add_typer(lake, name="lake")

strategy_app = typer.Typer(
    help="The strategies that make signals.", no_args_is_help=True, rich_markup_mode=None
)
strategy_app.command("list")(list_strategies)
strategy_app.command()(show)
app.add_typer(strategy_app, name="strategy")

app.add_typer(keys, name="keys")


def main() -> None:
    """Run the command line; the console script's entry point."""
    bypass_proxies(os.environ)
    app()
