"""The command `trading`: its subcommands, in the order in which `--help` lists them."""

from __future__ import annotations

import os

import typer

from cli.groups import accounts, alerts, api, cluster, news, operations, pipeline, results
from cli.groups import strategies as strategy
from cli.groups.executor import executor
from cli.groups.lake import database, layers, raw
from cli.groups.live import live
from cli.groups.live_check import check_live
from servers.loopback import bypass_proxies


def _group(text: str) -> typer.Typer:
    return typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)


app = typer.Typer(
    help="Bars to signals to paper trades, every piece of batch work a Prefect flow run.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    pipeline.demo,
    pipeline.up,
    results.status,
    results.redo,
    results.report,
    results.prune,
    strategy.backtest,
    accounts.orders,
    accounts.positions,
    api.api,
    operations.health,
    operations.backup,
    operations.restore,
    raw.settings,
    cluster.prepare_storage,
    cluster.prepare_database,
    cluster.register,
):
    app.command()(command)

lake = raw.lake
lake.command("demo")(layers.demo)
lake.command()(layers.build)
lake.command("redo")(layers.redo)
lake.command()(layers.sql)
lake.command()(database.load)
lake.command("prune")(database.prune)
lake.command()(database.compact)
live.command()(executor)
live.command("check")(check_live)

strategies = _group("The strategies that make signals.")
strategies.command("list")(strategy.list_strategies)
strategies.command()(strategy.show)
strategies.command()(strategy.check)

alert_rules = _group("Alert rules, what they said, and notifications.")
alert_rules.command("list")(alerts.list_alerts)
alert_rules.command("add")(alerts.add_alert)
alert_rules.command("remove")(alerts.remove_alert)
alert_rules.command("test")(alerts.try_channels)
alert_rules.command("log")(alerts.alert_log)

articles = _group("News of companies, with their sentiment.")
articles.command("fetch")(news.fetch_news)
articles.command("list")(news.list_news)

companies = _group("What is known of companies.")
companies.command("fetch")(news.fetch_company)
companies.command("show")(news.show_company)

for name, group in (
    ("lake", lake),
    ("strategy", strategies),
    ("live", live),
    ("risk", accounts.risk_app),
    ("paper", accounts.paper_app),
    ("alerts", alert_rules),
    ("news", articles),
    ("company", companies),
    ("keys", api.keys),
):
    app.add_typer(group, name=name)


def main() -> None:
    """Run the command line; the console script's entry point."""
    bypass_proxies(os.environ)
    app()
