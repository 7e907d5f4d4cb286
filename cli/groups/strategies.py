"""The commands about strategies: `strategy list`, `show` and `check`, and `backtest`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.exit_codes import exit_codes
from cli.options import DEFAULT_FOLDER, JobPer, Json, LakeDir, Port, ServerDir
from servers.prefect import DEFAULT_PORT


def list_strategies(*, json_output: Json = False) -> None:
    """List the strategies there are.

    \b
    Examples:
      trading strategy list
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.strategy import run_list  # noqa: PLC0415 - --help stays quick

        run_list(as_object=json_output)


def show(
    name: Annotated[
        str, typer.Argument(help="A strategy's name, or a class as package.module:Class.")
    ],
    *,
    json_output: Json = False,
) -> None:
    """Show one strategy: what it does, what it needs, and its parameters.

    \b
    Examples:
      trading strategy show vegas_channel
      trading strategy show vegas_channel --json
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.strategy import run_show  # noqa: PLC0415 - --help stays quick

        run_show(name, as_object=json_output)


def check(
    name: Annotated[
        str, typer.Argument(help="A strategy's name, or a class as package.module:Class.")
    ],
    *,
    parameters: Annotated[
        str | None,
        typer.Option(
            help="The strategy's parameters that differ from the defaults.", metavar="JSON"
        ),
    ] = None,
    bars: Annotated[
        int, typer.Option(help="At how many of the last bars to cut the history off.", metavar="N")
    ] = 600,
    symbol: Annotated[
        str | None,
        typer.Option(help="Whose bars of the lake. Default: synthetic daily bars.", metavar="NAME"),
    ] = None,
    interval: Annotated[
        str, typer.Option(help="Length of the bars, with --symbol.", metavar="INTERVAL")
    ] = "1d",
    lake_dir: LakeDir = None,
    json_output: Json = False,
) -> None:
    """Check that a strategy does not look ahead, and needs no more bars than it says.

    It is asked about the bars up to each bar alone, and about the bars from later starts on; what
    it says must not change.

    \b
    Examples:
      trading strategy check rsi_reversion
      trading strategy check vegas_channel --symbol AAPL --interval 5m --bars 2000

    \b
    Exit codes: 0 passed, 1 it looks ahead or raised, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.strategy_check import CheckOptions, run_check  # noqa: PLC0415 - --help stays quick

        options = CheckOptions(
            parameters=parameters,
            bars=bars,
            symbol=symbol,
            interval=interval,
            lake_dir=lake_dir,
            json=json_output,
        )
        raise typer.Exit(run_check(name, options))


def backtest(
    strategy: Annotated[
        str | None,
        typer.Argument(
            help="A strategy's name, one of trading strategy list, or a class of your own as "
            "package.module:Class."
        ),
    ] = None,
    *,
    own_strategy: Annotated[
        str | None,
        typer.Option("--strategy", help="The same, as an option.", metavar="NAME"),
    ] = None,
    symbols: Annotated[
        str | None,
        typer.Option(
            help="Symbols by name, e.g. AAPL,MSFT. Default: all that there are bars of.",
            metavar="NAMES",
        ),
    ] = None,
    interval: Annotated[
        str, typer.Option(help="Length of the bars, e.g. 5m, 1h or 1d.", metavar="INTERVAL")
    ] = "1d",
    start: Annotated[
        str | None,
        typer.Option(
            help="First day that is traded, YYYY-MM-DD; the strategy sees all bars before it.",
            metavar="DAY",
        ),
    ] = None,
    end: Annotated[str | None, typer.Option(help="Last day, inclusive.", metavar="DAY")] = None,
    grid: Annotated[
        str | None,
        typer.Option(
            help="Values to try for each parameter; every combination is a set.", metavar="JSON"
        ),
    ] = None,
    sample: Annotated[
        int | None, typer.Option(help="Try so many random sets instead of a grid.", metavar="N")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random sets.", metavar="N")] = 0,
    walk_forward: Annotated[
        int | None,
        typer.Option(
            help="Folds, each of which chooses by the bars before it and trades the next ones.",
            metavar="FOLDS",
        ),
    ] = None,
    held_back: Annotated[
        float,
        typer.Option(
            help="Share of the bars, at the end, that sets are not compared by.", metavar="SHARE"
        ),
    ] = 0.3,
    capital: Annotated[
        str | None, typer.Option(help="Dollars to start with. Default: 100000.", metavar="DOLLARS")
    ] = None,
    fees_bps: Annotated[
        str | None, typer.Option(help="Fee of a fill in basis points. Default: 1.", metavar="BPS")
    ] = None,
    slippage_bps: Annotated[
        str | None,
        typer.Option(
            help="How much worse than the bar's price an order fills, in basis points. Default: 1.",
            metavar="BPS",
        ),
    ] = None,
    participation: Annotated[
        str | None,
        typer.Option(
            help="Share of a bar's volume that orders may take. Default: 0.025; no bound with "
            "--input-dir, whose bars have no volume.",
            metavar="SHARE",
        ),
    ] = None,
    allow_short: Annotated[
        bool, typer.Option("--allow-short", help="Let a sell signal go short.")
    ] = False,
    portfolio: Annotated[
        bool,
        typer.Option("--portfolio", help="One account for all symbols, instead of one for each."),
    ] = False,
    batch: Annotated[
        int,
        typer.Option(help="How many sets one flow run covers.", metavar="N", min=1, max=1_000),
    ] = 50,
    input_dir: Annotated[
        str | None,
        typer.Option(
            help="The main pipeline's market data, instead of the lake's silver.", metavar="URL"
        ),
    ] = None,
    lake_dir: LakeDir = None,
    job_per: JobPer = None,
    reprocess: Annotated[
        bool, typer.Option("--reprocess", help="Trade what is up to date, too.")
    ] = False,
    port: Port = DEFAULT_PORT,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Trade a strategy's parameter sets over past bars, and rank them by what they are worth.

    Each set on each account is a partition: what is stored and has not changed is not traded
    again. Beside what a set earned in sample stands what it earned in the bars that were held
    back, with the number of sets tried and the deflated Sharpe ratio of the best.

    \b
    Examples:
      trading backtest rsi_reversion --symbols AAPL --interval 1d
      trading backtest rsi_reversion --symbols AAPL,MSFT --grid '{"periods": [7, 14, 21]}'
      trading backtest vegas_channel --symbols AAPL --interval 5m --sample 100 --walk-forward 5
      trading backtest mystrategies:Momentum --input-dir input --interval 1h --portfolio

    \b
    Exit codes: 0 all done or up to date, 1 failed, 2 wrong usage, 130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.backtest import BacktestOptions, Wish, run_backtest  # noqa: PLC0415 - --help stays quick

        assumptions = {
            "capital": capital,
            "fees_bps": fees_bps,
            "slippage_bps": slippage_bps,
            "participation": participation,
            "allow_short": allow_short,
        }
        wish = Wish(
            strategy=_one_strategy(strategy, own_strategy),
            symbols=symbols,
            interval=interval,
            start=start,
            end=end,
            grid=grid,
            sample=sample,
            seed=seed,
            walk_forward=walk_forward,
            assumptions=assumptions,
            portfolio=portfolio,
            held_back=held_back,
            lake_dir=lake_dir,
            input_dir=input_dir,
        )
        options = BacktestOptions(
            batch=batch,
            job_per=job_per,
            reprocess=reprocess,
            port=port,
            server_dir=server_dir,
            json=json_output,
        )
        raise typer.Exit(run_backtest(wish, options))


def _one_strategy(argument: str | None, option: str | None) -> str:
    from servers.errors import USAGE, CommandError  # noqa: PLC0415 - --help stays quick

    named = argument or option
    if named is None or (argument and option and argument != option):
        raise CommandError(
            f"strategy={named!r} is not one strategy; name one, e.g. trading backtest "
            "rsi_reversion, or trading backtest --strategy package.module:Class.",
            USAGE,
        )
    return named
