"""`trading paper reset`: begin a paper account anew."""

from __future__ import annotations

from pathlib import Path

import typer

from cli.commands.accounts.account import chosen, opened, who
from cli.exit_codes import confirm
from cli.pipeline.query import as_json
from servers.errors import USAGE, CommandError


def run_reset(server_dir: Path, account: str | None, *, asks: bool, as_object: bool) -> None:
    """Forget what a paper account did.

    Raises:
        CommandError: It is no paper account, its executor runs, or the person who is asked says no.
    """
    with opened(server_dir) as database:
        from database.orders.accounts import forget_account, only_executor  # noqa: PLC0415

        found = chosen(database, account)
        if found.broker != "paper":
            raise CommandError(
                f"{found.id} is an account of {found.broker}, which only that broker can reset; "
                "pass the --account of a paper one.", USAGE,
            )  # fmt: skip
        with only_executor(database, found.id) as is_free:
            if not is_free:
                raise CommandError(
                    f"An executor trades in {found.id}; stop it, then run this again.", USAGE
                )
            if asks:
                confirm(f"Forget everything that {found.id} did?")
            orders = forget_account(database, found.id, who=who())
    if as_object:
        typer.echo(as_json({"account": found.id, "orders_forgotten": orders}))
    else:
        typer.echo(f"{found.id} starts afresh; {orders} orders are forgotten.")
