"""`trading alerts log` and `test`: what was said, and what became of the notifications."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import typer

from adapters.notifications.apprise_channel import channels
from adapters.notifications.protocol import Channel, Delivery
from cli.database import database_url
from cli.settings import installation
from database.alerts.log import alert_events
from database.alerts.outbox import begin_trial, note_outcome, notifications
from database.connection import Database, open_database
from servers.errors import FAILED
from trading.errors import ParameterError

_TRIAL = ("Trial notification", "This is a trial of trading alerts test; nothing is wrong.")


def run_log(count: int, server_dir: Path, *, as_object: bool) -> None:
    """Print the last events and notifications."""
    with database_url(installation(), server_dir) as url, open_database(url) as database:
        events, sent = alert_events(database, count), notifications(database, count)
    if as_object:
        content = {
            "events": [_plain(asdict(event)) for event in events],
            "notifications": [_plain(asdict(notification)) for notification in sent],
        }
        typer.echo(json.dumps(content))
        return
    if not events and not sent:
        typer.echo("No alert has said anything yet.")
    for event in events:
        typer.echo(f"{_time(event.at)}  {event.severity:<8}  {event.kind:<8}  {event.message}")
    for notification in sent:
        why = f" ({notification.reason})" if notification.reason else ""
        typer.echo(
            f"{_time(notification.created_at)}  {notification.channel}  "
            f"{notification.state}{why}  {notification.title}"
        )


def run_trial(channel: str | None, server_dir: Path, *, as_object: bool) -> int:
    """Send a trial to one channel or to all; the exit code.

    Raises:
        ParameterError: There is no channel, or none of that name.
    """
    settings = installation()
    known = channels(settings.notify)
    if not known or channel not in (None, *known):
        there_are = f"one of {', '.join(known)}" if known else "set"
        next_step = "name it in TRADING_NOTIFY, e.g. mail=mailto://user:password@example.com"
        raise ParameterError("channel", channel, f"{there_are} in TRADING_NOTIFY", next_step)
    wanted = {channel: known[channel]} if channel is not None else known
    with database_url(settings, server_dir) as url, open_database(url) as database:
        outcomes = {name: _try(database, name, target) for name, target in wanted.items()}
    if as_object:
        typer.echo(json.dumps({name: asdict(outcome) for name, outcome in outcomes.items()}))
    else:
        for name, outcome in outcomes.items():
            why = f": {outcome.reason}" if outcome.reason else ""
            typer.echo(f"{name}  {outcome.outcome}{why}")
    return 0 if all(outcome.outcome == "sent" for outcome in outcomes.values()) else FAILED


def _try(database: Database, name: str, channel: Channel) -> Delivery:
    trial = begin_trial(database, name, _TRIAL, f"trial:{uuid4()}", datetime.now(UTC))
    delivery = channel.send(trial.title, trial.body)
    note_outcome(database, trial, delivery.outcome, delivery.reason, datetime.now(UTC))
    return delivery


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in values.items()}
