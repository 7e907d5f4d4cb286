"""The command `trading live executor`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.commands.live.options import DEFAULT_INTERVAL, DEFAULT_STRATEGY
from cli.exit_codes import exit_codes
from cli.groups.service import LogDir, MetricsHost, MetricsPort
from cli.options import DEFAULT_FOLDER, Json, ServerDir


def executor(
    *,
    symbols: Annotated[str, typer.Option(help="What it trades, e.g. AAPL,MSFT.", metavar="NAMES")],
    strategy: Annotated[
        str,
        typer.Option(help="Whose signals it follows; see trading strategy list.", metavar="NAME"),
    ] = DEFAULT_STRATEGY,
    fingerprint: Annotated[
        str | None,
        typer.Option(
            help="Only signals of this version and parameters. Default: any.", metavar="HASH"
        ),
    ] = None,
    interval: Annotated[
        str, typer.Option(help="Of bars and signals, e.g. 5m.", metavar="INTERVAL")
    ] = DEFAULT_INTERVAL,
    account: Annotated[
        str | None,
        typer.Option(
            help="Its name here. Default: the broker's, or paper-synthetic or paper-replay on "
            "such prices.",
            metavar="NAME",
        ),
    ] = None,
    broker: Annotated[Literal["paper", "alpaca"], typer.Option(help="The broker.")] = "paper",
    confirm_account: Annotated[
        str | None,
        typer.Option(help="The number of the account with real money.", metavar="NUMBER"),
    ] = None,
    capital: Annotated[
        str, typer.Option(help="Dollars that a paper account begins with.", metavar="DOLLARS")
    ] = "100000",
    fees_bps: Annotated[
        str, typer.Option(help="Fee in basis points, charged on paper.", metavar="BPS")
    ] = "1",
    slippage_bps: Annotated[
        str, typer.Option(help="Slippage in basis points, on paper.", metavar="BPS")
    ] = "1",
    participation: Annotated[
        str,
        typer.Option(help="Share of a bar's volume that fills, on paper.", metavar="SHARE"),
    ] = "0.025",
    allocation: Annotated[
        str | None,
        typer.Option(
            help="Share of equity of each symbol. Default: one over their number.", metavar="SHARE"
        ),
    ] = None,
    allow_short: Annotated[
        bool, typer.Option("--allow-short", help="Go short on a sell signal.")
    ] = False,
    clock: Annotated[
        Literal["wall", "events"] | None,
        typer.Option(
            help="Where the time comes from; events is for synthetic and replayed prices, and for "
            "paper accounts only. Default: that of the prices."
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop after so many minutes. Default: on Ctrl-C.", min=0.0, metavar="N"),
    ] = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    log_dir: LogDir = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
    json_output: Json = False,
) -> None:
    """Trade one account: signals of the bus become orders, fills become positions.

    Limits are those of TRADING_RISK_LIMITS. Real money takes TRADING_ALLOW_LIVE=yes, the address
    of the live account in TRADING_ALPACA_TRADING_URL, and its number in --confirm-account.

    \b
    Examples:
      trading live executor --symbols AAPL,MSFT
      trading live executor --symbols AAPL,MSFT --strategy rsi_reversion --interval 13m
      trading live executor --symbols AAPL --broker alpaca --account alpaca-paper

    \b
    Exit codes: 0 ended by itself, 1 failed, 2 wrong usage or the account is in use, 130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.live.services.executor import (  # noqa: PLC0415 - --help stays quick
            ExecutorOptions,
            run_executor,
        )
        from cli.commands.live.services.service import ServiceOptions  # noqa: PLC0415 - as above

        run_executor(
            ExecutorOptions(
                account=account,
                broker=broker,
                confirm_account=confirm_account,
                symbols=symbols,
                strategy=strategy,
                fingerprint=fingerprint,
                interval=interval,
                capital=capital,
                fees_bps=fees_bps,
                slippage_bps=slippage_bps,
                participation=participation,
                allocation=allocation,
                allow_short=allow_short,
                clock=clock,
                minutes=minutes,
                service=ServiceOptions(
                    server_dir=server_dir,
                    log_dir=log_dir,
                    metrics_port=metrics_port,
                    metrics_host=metrics_host,
                ),
                json=json_output,
            )
        )
