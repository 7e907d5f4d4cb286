"""`trading live check`: whether the live processes run and work together."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import typer

from cli.commands.accounts.account import opened
from servers.errors import FAILED, CommandError
from trading.operations.health import SILENCE

if TYPE_CHECKING:
    from database.connection import Database
    from database.live.heartbeats import Heartbeat
    from database.live.proof import ProvenOrder

PROCESSES = ("stream", "windows", "signals", "alerts", "executor")

FRESH_SECONDS = SILENCE.total_seconds()
"""How old a heartbeat may be."""

_POLL_SECONDS = 1.0
_ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What is asked of the live side.

    Attributes:
        order: Whether an order must have come of a signal on a live bar since the executor that
            runs now began.
        account: Whose order; None for that of any account.
        api: The API's address; None does not ask it.
        wait: Seconds in which it all has to come true.
        server_dir: Where servers of this machine keep their data.
    """

    order: bool
    account: str | None
    api: str | None
    wait: float
    server_dir: Path


def run_check(options: CheckOptions) -> None:
    """Wait until all is well, and say what was seen.

    Raises:
        CommandError: Something is missing when the time is over.
        DatabaseError: The database does not answer.
    """
    deadline = time.monotonic() + options.wait
    with opened(options.server_dir) as database:
        while missing := _missing(database, options):
            if time.monotonic() >= deadline:
                raise CommandError(
                    f"After {options.wait:g} seconds {'; '.join(missing)}; look at the log of "
                    "the first that is named.",
                    FAILED,
                )
            time.sleep(_POLL_SECONDS)
        typer.echo(f"These run: {', '.join(PROCESSES)}.")
        if options.api:
            typer.echo(f"The API at {options.api} answers.")
        if order := _order(database, options):
            typer.echo(_sentence(order))


def _missing(database: Database, options: CheckOptions) -> list[str]:
    """What is not as it should be, a clause each."""
    clauses = [f"{name} sends no heartbeat" for name in _silent(database)]
    if options.api and (fault := _fault(options.api)):
        clauses.append(f"the API at {options.api} {fault}")
    if options.order and _order(database, options) is None:
        clauses.append("no order has come of a signal on a live bar since the executor began")
    return clauses


def _silent(database: Database) -> list[str]:
    running = {beat.service for beat in _running(database)}
    return [name for name in PROCESSES if name not in running]


def _running(database: Database) -> list[Heartbeat]:
    from database.live.heartbeats import heartbeats  # noqa: PLC0415 - an extra brings it

    return [
        beat
        for beat in heartbeats(database)
        if beat.state == "running" and beat.age_seconds < FRESH_SECONDS
    ]


def _fault(api: str) -> str | None:
    try:
        answer = httpx.get(f"{api.rstrip('/')}/v1/health", timeout=_ANSWER_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"does not answer ({type(error).__name__})"
    return None if answer.is_success else f"answers with {answer.status_code}"


def _order(database: Database, options: CheckOptions) -> ProvenOrder | None:
    from database.live.proof import newest_proven_order  # noqa: PLC0415 - an extra brings it

    began = [beat.started_at for beat in _running(database) if beat.service == "executor"]
    # One of an executor that is gone says nothing of those that run now.
    return newest_proven_order(database, max(began), options.account) if began else None


def _sentence(order: ProvenOrder) -> str:
    side = "buy" if order.side > 0 else "sell"
    return (
        f"From bar to order: {order.symbol} at {order.bar:%Y-%m-%d %H:%M} UTC ({order.interval}), "
        f"{order.strategy}, {side} {order.quantity:g}, {order.state.lower()}, "
        f"{order.age_seconds:.0f} seconds ago."
    )
