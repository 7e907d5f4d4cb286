"""The commands about alerts: `alerts list`, `add`, `remove`, `test` and `log`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.exit_codes import exit_codes
from cli.extras import needs_extra
from cli.options import DEFAULT_FOLDER, Json, ServerDir

Count = Annotated[int, typer.Option("--count", help="How many at most.", min=1, max=10_000)]


def list_alerts(*, server_dir: ServerDir = DEFAULT_FOLDER, json_output: Json = False) -> None:
    """List the alert rules, and the alerts that are firing.

    \b
    Examples:
      trading alerts list

    \b
    Exit codes: 0 done, 1 failed or the file of rules cannot be used, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        with needs_extra("live"):
            from cli.commands.alerts import run_list  # noqa: PLC0415 - --help stays quick

        raise typer.Exit(run_list(server_dir, as_object=json_output))


def add_alert(
    name: Annotated[str, typer.Argument(help="The rule's name, e.g. aapl-high.")],
    kind: Annotated[str, typer.Argument(help="The kind of rule; see docs/alerts.md.")],
    fields: Annotated[
        list[str] | None, typer.Argument(help="The rule's fields.", metavar="FIELD=VALUE")
    ] = None,
    *,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Add an alert rule, or change the rule of that name.

    Kinds: price_above, price_below, change, indicator_above, indicator_below, signal, stale, gap,
    failed_partition, risk_state, risk_limit, reconciliation, service_down.

    \b
    Examples:
      trading alerts add aapl-high price_above symbols=AAPL level=250 interval=5m
      trading alerts add swing change percent=2 bars=12 direction=down severity=critical
      trading alerts add vegas signal strategy=vegas_channel signals=buy,sell interval=5m
      trading alerts add halted risk_state severity=critical remind_seconds=900
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        with needs_extra("live"):
            from cli.commands.alerts import run_add  # noqa: PLC0415 - --help stays quick

        run_add({"name": name, "kind": kind}, fields or [], server_dir, as_object=json_output)


def remove_alert(
    name: Annotated[str, typer.Argument(help="The rule's name.")],
    *,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Remove an alert rule; its past alerts stay in the log.

    \b
    Examples:
      trading alerts remove aapl-high
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        with needs_extra("live"):
            from cli.commands.alerts import run_remove  # noqa: PLC0415 - --help stays quick

        run_remove(name, server_dir, as_object=json_output)


def try_channels(
    channel: Annotated[
        str | None, typer.Argument(help="A channel of TRADING_NOTIFY. Default: all.")
    ] = None,
    *,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Send a test notification, and print its outcome.

    \b
    Examples:
      trading alerts test
      trading alerts test mail

    \b
    Exit codes: 0 all of them were taken, 1 one was not, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        with needs_extra("live"):
            from cli.commands.alert_log import run_trial  # noqa: PLC0415 - --help stays quick

        raise typer.Exit(run_trial(channel, server_dir, as_object=json_output))


def alert_log(
    *,
    count: Count = 20,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Show past alerts, and the outcome of each notification.

    \b
    Examples:
      trading alerts log --count 50
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        with needs_extra("live"):
            from cli.commands.alert_log import run_log  # noqa: PLC0415 - --help stays quick

        run_log(count, server_dir, as_object=json_output)
