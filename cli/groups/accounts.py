"""The commands about accounts: `orders`, `positions`, `risk ...`, `paper ...`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.exit_codes import exit_codes
from cli.options import DEFAULT_FOLDER, Json, ServerDir

Account = Annotated[
    str | None,
    typer.Option(help="The account's name. Default: the only one.", metavar="NAME"),
]
Why = Annotated[str, typer.Option(help="The reason, for the audit log.", metavar="TEXT")]

risk_app = typer.Typer(
    help="Show the risk state of accounts; halt, kill and resume them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
paper_app = typer.Typer(help="Paper accounts.", no_args_is_help=True, rich_markup_mode=None)


def orders(
    *,
    account: Account = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only open orders.")] = False,
    most: Annotated[int, typer.Option(help="How many of the latest.", min=1, max=10_000)] = 50,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """List the latest orders of an account, with why they were denied or rejected.

    \b
    Examples:
      trading orders
      trading orders --open --account alpaca --json

    \b
    Exit codes: 0 listed, 1 failed, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.accounts.orders import run_orders  # noqa: PLC0415 - --help stays quick

        run_orders(server_dir, account, most, open_only=open_only, as_object=json_output)


def positions(
    *,
    account: Account = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Show what an account holds, and its equity, at the last prices of the database.

    \b
    Examples:
      trading positions
      trading positions --account paper --json

    \b
    Exit codes: 0 shown, 1 failed, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.accounts.positions import (  # noqa: PLC0415 - --help stays quick
            run_positions,
        )

        run_positions(server_dir, account, as_object=json_output)


@risk_app.command("status")
def risk_status(
    *,
    account: Annotated[
        str | None, typer.Option(help="One account. Default: all.", metavar="NAME")
    ] = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Show what each account may do, since when and why, and its last reconciliation.

    \b
    Examples:
      trading risk status
      trading risk status --account alpaca --json

    \b
    Exit codes: 0 all active, 3 one is not, 1 failed, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.accounts.risk import run_status  # noqa: PLC0415 - --help stays quick

        raise typer.Exit(run_status(server_dir, account, as_object=json_output))


@risk_app.command("halt")
def risk_halt(
    *,
    why: Why,
    account: Account = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Halt an account: no more orders, all working orders cancelled, positions kept.

    The halt takes effect at once. The account's executor cancels the orders; until that is done,
    trading risk status shows HALTING.

    \b
    Examples:
      trading risk halt --why "the feed looks wrong"

    \b
    Exit codes: 0 halted or halting, 1 failed, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.accounts.risk import run_halt  # noqa: PLC0415 - --help stays quick

        run_halt(server_dir, account, why, closes=False, as_object=json_output)


@risk_app.command("kill")
def risk_kill(
    *,
    why: Why,
    account: Account = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Halt an account and close all its positions: the kill switch.

    The halt takes effect at once. The account's executor cancels all orders, closes all positions
    and verifies with the broker; until then trading risk status shows HALTING.

    \b
    Examples:
      trading risk kill --why "it lost its mind" --yes

    \b
    Exit codes: 0 halted or halting, 1 failed or not confirmed, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.accounts.risk import run_halt  # noqa: PLC0415 - --help stays quick

        run_halt(server_dir, account, why, closes=True, asks=not yes, as_object=json_output)


@risk_app.command("resume")
def risk_resume(
    *,
    why: Why,
    account: Account = None,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Let a halted account trade again; its drawdown counts from now.

    \b
    Examples:
      trading risk resume --why "checked with the broker"

    \b
    Exit codes: 0 resumed, 1 failed, 2 it is not halted, or still halting.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.accounts.risk import run_resume  # noqa: PLC0415 - --help stays quick

        run_resume(server_dir, account, why, as_object=json_output)


@paper_app.command("reset")
def paper_reset(
    *,
    account: Account = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    server_dir: ServerDir = DEFAULT_FOLDER,
    json_output: Json = False,
) -> None:
    """Delete all orders, fills and cash of a paper account; the audit log records it.

    Its executor must not be running. The next one starts with its capital again.

    \b
    Examples:
      trading paper reset --yes

    \b
    Exit codes: 0 reset, 1 failed or not confirmed, 2 not a paper account, or in use.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.accounts.paper import run_reset  # noqa: PLC0415 - --help stays quick

        run_reset(server_dir, account, asks=not yes, as_object=json_output)
