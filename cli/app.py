"""The command `trading`: its subcommands, in the order in which `--help` lists them."""

from __future__ import annotations

import os

import typer

from cli.account_commands import orders, paper_app, positions, risk_app
from cli.alert_commands import (
    add_alert,
    alert_log,
    list_alerts,
    remove_alert,
    try_channels,
)
from cli.api_commands import api, keys
from cli.cluster_commands import prepare_database, prepare_storage, register
from cli.executor_commands import executor
from cli.lake_commands import lake, settings
from cli.lake_data_commands import build, sql
from cli.lake_data_commands import demo as lake_demo
from cli.lake_data_commands import redo as redo_partitions
from cli.lake_database_commands import load
from cli.lake_database_commands import prune as prune_database
from cli.live_check_command import check_live
from cli.live_commands import live
from cli.news_commands import fetch_company, fetch_news, list_news, show_company
from cli.operations_commands import backup, health, restore
from cli.pipeline_commands import demo, up
from cli.result_commands import prune, redo, report, status
from cli.strategy_commands import backtest, check, list_strategies, show
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
    prepare_database,
    register,
):
    app.command()(command)
lake.command("demo")(lake_demo)
lake.command()(build)
lake.command("redo")(redo_partitions)
lake.command()(sql)
lake.command()(load)
lake.command("prune")(prune_database)
app.add_typer(lake, name="lake")
app.add_typer(live, name="live")

strategy_app = typer.Typer(
    help="The strategies that make signals.", no_args_is_help=True, rich_markup_mode=None
)
strategy_app.command("list")(list_strategies)
strategy_app.command()(show)
strategy_app.command()(check)
app.add_typer(strategy_app, name="strategy")
app.command()(backtest)

live.command()(executor)
live.command("check")(check_live)
app.command()(orders)
app.command()(positions)
app.add_typer(risk_app, name="risk")
app.add_typer(paper_app, name="paper")

app.add_typer(keys, name="keys")
alerts_app = typer.Typer(
    help="Alert rules, what they said, and notifications.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
alerts_app.command("list")(list_alerts)
alerts_app.command("add")(add_alert)
alerts_app.command("remove")(remove_alert)
alerts_app.command("test")(try_channels)
alerts_app.command("log")(alert_log)
app.add_typer(alerts_app, name="alerts")

news_app = typer.Typer(
    help="News of companies, with their sentiment.", no_args_is_help=True, rich_markup_mode=None
)
news_app.command("fetch")(fetch_news)
news_app.command("list")(list_news)
app.add_typer(news_app, name="news")

company_app = typer.Typer(
    help="What is known of companies.", no_args_is_help=True, rich_markup_mode=None
)
company_app.command("fetch")(fetch_company)
company_app.command("show")(show_company)
app.add_typer(company_app, name="company")


def main() -> None:
    """Run the command line; the console script's entry point."""
    bypass_proxies(os.environ)
    app()
