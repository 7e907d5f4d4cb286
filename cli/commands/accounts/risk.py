"""`trading risk`: what accounts may do, and a person's halt and its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from adapters.brokers.errors import BrokerError
from cli.commands.accounts.account import chosen, opened, who
from cli.exit_codes import confirm
from cli.pipeline.query import as_json
from cli.settings import installation
from servers.errors import FAILED, CommandError
from trading.errors import ParameterError

if TYPE_CHECKING:
    from database.connection import Database
    from database.orders.risk import StoredRisk

NOT_ACTIVE = 3
"""Exit code when an account is not active."""


def run_status(server_dir: Path, account: str | None, *, as_object: bool) -> int:
    """Print it; the exit code."""
    with opened(server_dir) as database:
        from database.orders.accounts import account_named, accounts  # noqa: PLC0415

        known = [account_named(database, account)] if account else accounts(database)
        rows = [_status(database, found.id) for found in known]
    if as_object:
        typer.echo(as_json({"accounts": rows}))
    for row in () if as_object else rows:
        why = f" ({row['reason']})" if row["reason"] else ""
        typer.echo(
            f"{row['account']}: {row['state']}{why} since {row['since']}; drawdown "
            f"{row['drawdown']:.2%}; last reconciliation {row['reconciled_at'] or 'never'}"
            f"{'' if row['agreed'] in {True, None} else ', which did not agree'}."
        )
    if not rows and not as_object:
        typer.echo("There is no account yet; start one with trading live executor.")
    return NOT_ACTIVE if any(row["state"] != "ACTIVE" for row in rows) else 0


def run_halt(
    server_dir: Path,
    account: str | None,
    why: str,
    *,
    closes: bool,
    as_object: bool,
    asks: bool = False,
) -> None:
    """Latch a halt, and say what happens next.

    Raises:
        CommandError, ParameterError: There is no such account, no reason, or the person who is
            asked says no.
    """
    _check_reason(why)
    with opened(server_dir) as database:
        from database.orders.risk import halt  # noqa: PLC0415 - an extra brings it

        found = chosen(database, account)
        if asks:
            confirm(f"Cancel all orders of {found.id} and close all its positions?")
        risk = halt(database, found.id, who=who(), why=why, closes_positions=closes)
        if found.broker == "alpaca":
            risk = _without_executor(database, found.id) or risk
    rest = "cancels all orders" + (" and closes all positions" if closes else "")
    sentence = (
        f"No order of {found.id} is sent from now on; its executor {rest}, and trading risk "
        "status shows HALTED once that is done."
        if risk.is_closing
        else f"{found.id} is HALTED: the broker has no open order"
        f"{' and no position' if closes else ''} of it."
    )
    _told(found.id, risk, sentence, as_object=as_object)


def _without_executor(database: Database, account: str) -> StoredRisk | None:
    """Carry the halt out here where no executor runs; None where one does."""
    from cli.commands.live.services.executor import carry_out_halt  # noqa: PLC0415 - of the extra `live`
    from database.orders.accounts import only_executor  # noqa: PLC0415 - an extra brings it
    from database.orders.risk import read_risk  # noqa: PLC0415 - see above

    with only_executor(database, account) as is_free:
        if not is_free:
            return None
        try:
            carry_out_halt(database, account, installation())
        except (BrokerError, ParameterError) as error:
            raise CommandError(
                f"The halt of {account} holds, but nothing is cancelled yet "
                f"({str(error).rstrip('.')}); start trading live executor, or run this again.",
                FAILED,
            ) from None
        return read_risk(database, account)


def run_resume(server_dir: Path, account: str | None, why: str, *, as_object: bool) -> None:
    """Let an account trade again.

    Raises:
        CommandError, ParameterError: There is no such account, it is not halted, or no reason.
    """
    _check_reason(why)
    with opened(server_dir) as database:
        from database.orders.risk import resume  # noqa: PLC0415 - an extra brings it

        found = chosen(database, account)
        risk = resume(database, found.id, who=who(), why=why)
    _told(found.id, risk, f"{found.id} trades again.", as_object=as_object)


def _check_reason(why: str) -> None:
    if not why.strip():
        raise ParameterError("why", why, "a reason for the audit", "say it in some words")


def _told(account: str, risk: StoredRisk, sentence: str, *, as_object: bool) -> None:
    if as_object:
        told = {"account": account, "state": risk.shown, "reason": risk.memory.reason}
        typer.echo(as_json(told))
    else:
        typer.echo(sentence)


def _status(database: Database, account: str) -> dict[str, object]:
    from database.orders.reconciliations import last_reconciliation  # noqa: PLC0415
    from database.orders.risk import read_risk  # noqa: PLC0415

    risk, last = read_risk(database, account), last_reconciliation(database, account)
    memory = risk.memory
    return {
        "account": account,
        "state": risk.shown,
        "reason": memory.reason,
        "since": risk.since.isoformat(timespec="seconds"),
        "drawdown": float(1 - memory.equity / memory.peak) if memory.peak > 0 else 0.0,
        "reconciled_at": last.ended_at.isoformat(timespec="seconds")
        if last and last.ended_at
        else None,
        "agreed": last.agreed if last else None,
    }
