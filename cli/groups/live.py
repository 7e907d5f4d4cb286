"""The commands of the live side: `trading live` and `trading live ...`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.commands.live.options import DEFAULT_INTERVAL, DEFAULT_SPEED, DEFAULT_STRATEGY
from cli.exit_codes import exit_codes
from cli.extras import needs_extra
from cli.groups.service import LogDir, MetricsHost, MetricsPort
from cli.options import DEFAULT_FOLDER, Json, LakeDir, ServerDir
from servers.errors import USAGE, CommandError

live = typer.Typer(rich_markup_mode=None)

Source = Annotated[
    Literal["synthetic", "replay", "alpaca", "polygon"],
    typer.Option(help="Where ticks come from; replay plays back one-minute bars of the lake."),
]
Symbols = Annotated[
    str | None,
    typer.Option(
        help="Symbols, e.g. AAPL,MSFT, or a number of synthetic ones. Default: as in the last run.",
        metavar="NAMES",
    ),
]
Rate = Annotated[
    float,
    typer.Option(min=1, max=1_000_000, help="Synthetic ticks per second.", metavar="TICKS"),
]
Speed = Annotated[
    float,
    typer.Option(
        min=0.1, max=1_000_000, help="How many times as fast as real time, synthetic or replayed."
    ),
]
Last = Annotated[
    str | None,
    typer.Option("--to", help="Last day of a replay. Default: that of --from.", metavar="DAY"),
]
Strategies = Annotated[
    str, typer.Option("--strategy", help="Strategies; see trading strategy list.", metavar="NAMES")
]
Intervals = Annotated[
    str, typer.Option("--interval", help="Bars that they run on, e.g. 1m,5m.", metavar="INTERVALS")
]


@live.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    *,
    source: Annotated[
        Literal["synthetic", "replay", "alpaca", "polygon"] | None,
        typer.Option(
            help="Where ticks come from. Default: the source of the last run, else replay if the "
            "lake has one-minute bars, else synthetic.",
        ),
    ] = None,
    symbols: Symbols = None,
    rate: Rate = 200.0,
    speed: Speed = DEFAULT_SPEED,
    first: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="First day of a replay. Default: that of --to, else the lake's last 30 days.",
            metavar="DAY",
        ),
    ] = None,
    last: Last = None,
    bronze_source: Annotated[
        str | None,
        typer.Option(
            help="The source in bronze that is replayed. Default: the first of TRADING_SOURCES "
            "that the lake has.",
            metavar="NAME",
        ),
    ] = None,
    strategy: Strategies = DEFAULT_STRATEGY,
    interval: Intervals = DEFAULT_INTERVAL,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Stop after so many minutes. Default: on Ctrl-C.", metavar="N"),
    ] = None,
    port: Annotated[
        int, typer.Option(help="Port of the desk; 0 takes a free one.", metavar="PORT")
    ] = 8000,
    no_prefect: Annotated[
        bool, typer.Option("--no-prefect", help="Run without a Prefect server and worker.")
    ] = False,
    schedules: Annotated[bool, typer.Option("--schedules", help="Turn the schedules on.")] = False,
    lake_dir: LakeDir = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Run the platform on this machine: prices, bars, signals, paper orders, alerts and the desk.

    Each part is a process of its own, which a command below runs alone. One that dies is restarted
    and continues where it stopped. Synthetic ticks and replays of the lake need no key. Orders
    always go to a paper account.

    \b
    Examples:
      trading live
      trading live --minutes 3
      trading live --symbols 500 --rate 20000 --minutes 2 --json
      trading live --source replay --symbols AAPL,MSFT --from 2024-01-02 --speed 120
      trading live --source alpaca --symbols AAPL,MSFT --strategy vegas_channel --interval 5m

    \b
    Exit codes: 0 stopped after --minutes, 1 failed, 2 wrong usage, 130 Ctrl-C.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    if context.invoked_subcommand is not None:
        return
    with exit_codes(as_json=json_output) as signals:
        if schedules and no_prefect:
            raise CommandError(
                "--schedules needs the Prefect server; leave out --no-prefect.", USAGE
            )
        from cli.commands.live.all_in_one.trading_live import run_live  # noqa: PLC0415 - --help stays quick
        from cli.commands.live.options import LiveOptions, SignalOptions, StreamOptions  # noqa: PLC0415

        options = LiveOptions(
            stream=StreamOptions(
                source=source, symbols=symbols, rate=rate, speed=speed, first=first, last=last,
                bronze_source=bronze_source, lake_dir=lake_dir,
            ),
            signals=SignalOptions(strategies=strategy, intervals=interval, lake_dir=lake_dir),
            minutes=minutes,
            port=port,
            prefect=not no_prefect,
            schedules=schedules,
            server_dir=server_dir,
            json=json_output,
        )  # fmt: skip
        raise typer.Exit(run_live(options, signals))


@live.command()
def stream(
    *,
    source: Source = "synthetic",
    symbols: Symbols = None,
    rate: Rate = 200.0,
    speed: Speed = DEFAULT_SPEED,
    first: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="First day of a replay. Default: that of --to, else the last session.",
            metavar="DAY",
        ),
    ] = None,
    last: Last = None,
    bronze_source: Annotated[
        str | None,
        typer.Option(
            help="The source in bronze that is replayed. Default: the only one.", metavar="NAME"
        ),
    ] = None,
    lake_dir: LakeDir = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    log_dir: LogDir = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
) -> None:
    """Publish ticks on the bus until stopped: from a vendor, replayed from the lake, or synthetic.

    \b
    Examples:
      trading live stream --source alpaca --symbols AAPL,MSFT
      trading live stream --source replay --symbols AAPL --from 2024-01-02 --speed 60

    \b
    Exit codes: 0 a replay has ended, 1 failed, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.commands.live.options import StreamOptions  # noqa: PLC0415 - --help stays quick
        from cli.commands.live.services.service import ServiceOptions  # noqa: PLC0415 - as above
        from cli.commands.live.services.serving import serve_stream  # noqa: PLC0415 - as above

        service = ServiceOptions(
            server_dir=server_dir, log_dir=log_dir, metrics_port=metrics_port,
            metrics_host=metrics_host,
        )  # fmt: skip
        options = StreamOptions(
            source=source, symbols=symbols, rate=rate, speed=speed, first=first, last=last,
            bronze_source=bronze_source, lake_dir=lake_dir,
        )  # fmt: skip
        serve_stream(options, service)


@live.command()
def windows(
    *,
    archive: Annotated[
        bool,
        typer.Option(
            "--archive", help="Write each session's minutes into the lake when it is over."
        ),
    ] = False,
    lake_dir: LakeDir = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    log_dir: LogDir = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
) -> None:
    """Make bars of all intervals within a session from the bus's ticks until stopped.

    \b
    Examples:
      trading live windows
      trading live windows --archive

    \b
    Exit codes: 1 failed, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.commands.live.services.service import ServiceOptions  # noqa: PLC0415 - --help stays quick
        from cli.commands.live.services.serving import serve_windows  # noqa: PLC0415 - as above

        service = ServiceOptions(
            server_dir=server_dir, log_dir=log_dir, metrics_port=metrics_port,
            metrics_host=metrics_host,
        )  # fmt: skip
        serve_windows(service, archive=archive, lake_dir=lake_dir)


@live.command()
def signals(
    *,
    strategy: Strategies = DEFAULT_STRATEGY,
    interval: Intervals = DEFAULT_INTERVAL,
    lake_dir: LakeDir = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    log_dir: LogDir = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
) -> None:
    """Run strategies on the bus's bars until stopped, after the older bars of the lake.

    \b
    Examples:
      trading live signals --strategy vegas_channel,rsi_reversion --interval 5m

    \b
    Exit codes: 1 failed, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.commands.live.options import SignalOptions  # noqa: PLC0415 - --help stays quick
        from cli.commands.live.services.service import ServiceOptions  # noqa: PLC0415 - as above
        from cli.commands.live.services.serving import serve_signals  # noqa: PLC0415 - as above

        service = ServiceOptions(
            server_dir=server_dir, log_dir=log_dir, metrics_port=metrics_port,
            metrics_host=metrics_host,
        )  # fmt: skip
        options = SignalOptions(strategies=strategy, intervals=interval, lake_dir=lake_dir)
        serve_signals(options, service)


@live.command("alerts")
def watch_alerts(
    *,
    clock: Annotated[
        Literal["wall", "events"],
        typer.Option(help="Where the time comes from; events is for replays."),
    ] = "wall",
    server_dir: ServerDir = DEFAULT_FOLDER,
    log_dir: LogDir = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
) -> None:
    """Evaluate the alert rules and send notifications, until stopped.

    Rules are those of trading alerts add and of TRADING_ALERTS_FILE, channels those of
    TRADING_NOTIFY.

    \b
    Examples:
      trading live alerts

    \b
    Exit codes: 1 failed, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        with needs_extra("live"):
            from cli.commands.live.services.messages import serve_alerts  # noqa: PLC0415 - --help stays quick
        from cli.commands.live.services.service import ServiceOptions  # noqa: PLC0415 - as above

        service = ServiceOptions(
            server_dir=server_dir, log_dir=log_dir, metrics_port=metrics_port,
            metrics_host=metrics_host,
        )  # fmt: skip
        serve_alerts(service, clock)


@live.command("news")
def follow_news(
    *,
    every: Annotated[
        float, typer.Option(min=1, help="Seconds between two fetches.", metavar="SECONDS")
    ] = 300.0,
    server_dir: ServerDir = DEFAULT_FOLDER,
    log_dir: LogDir = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
) -> None:
    """Fetch news of the symbols of the stream, store and publish them, until stopped.

    The source is that of TRADING_NEWS_SOURCE.

    \b
    Examples:
      trading live news
      trading live news --every 60

    \b
    Exit codes: 1 failed, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        with needs_extra("live"):
            from cli.commands.live.services.messages import serve_news  # noqa: PLC0415 - --help stays quick
        from cli.commands.live.services.service import ServiceOptions  # noqa: PLC0415 - as above

        service = ServiceOptions(
            server_dir=server_dir, log_dir=log_dir, metrics_port=metrics_port,
            metrics_host=metrics_host,
        )  # fmt: skip
        serve_news(service, every)


Names = Annotated[str, typer.Argument(help="Symbols, e.g. AAPL,MSFT.", metavar="NAMES")]


@live.command()
def subscribe(names: Names, *, server_dir: ServerDir = DEFAULT_FOLDER) -> None:
    """Subscribe to more symbols; a running stream follows within a few seconds.

    \b
    Examples:
      trading live subscribe NVDA,TSLA

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.commands.live.subscribing import run_subscribe  # noqa: PLC0415 - --help stays quick

        run_subscribe(names, server_dir, wanted=True)


@live.command()
def unsubscribe(names: Names, *, server_dir: ServerDir = DEFAULT_FOLDER) -> None:
    """Unsubscribe from symbols.

    \b
    Examples:
      trading live unsubscribe TSLA

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        from cli.commands.live.subscribing import run_subscribe  # noqa: PLC0415 - --help stays quick

        run_subscribe(names, server_dir, wanted=False)


@live.command()
def differences(
    *,
    date: Annotated[str, typer.Option(help="The session, YYYY-MM-DD.", metavar="DAY")],
    source: Annotated[
        str | None,
        typer.Option(help="The source in bronze. Default: the only one.", metavar="NAME"),
    ] = None,
    symbols: Annotated[
        str | None, typer.Option(help="Symbols. Default: all with live bars.", metavar="NAMES")
    ] = None,
    lake_dir: LakeDir = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Print where a source's one-minute bars of a session differ from the live ones.

    \b
    Examples:
      trading live differences --date 2024-07-03
      trading live differences --date 2024-07-03 --source alpaca --symbols AAPL --json

    \b
    Exit codes: 0 no differences, 1 failed, 2 wrong usage, 3 differences.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.live.differing import run_differences  # noqa: PLC0415 - --help stays quick

        raise typer.Exit(
            run_differences(
                date, source, symbols, lake_dir=lake_dir, server_dir=server_dir,
                as_object=json_output,
            )
        )  # fmt: skip
