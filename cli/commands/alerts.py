"""`trading alerts list`, `add` and `remove`: the rules of alerts."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from cli.database import database_url
from cli.settings import installation
from database.alerts.log import FiringAlert, firing_alerts
from database.alerts.rules import StoredRule, put_rule, remove_rule, stored_rules
from database.connection import open_database
from live.alerts.rules_file import rules_in
from servers.errors import FAILED
from trading.alerts.rules import alert_rule
from trading.errors import ParameterError, TradingError
from trading.strategies.registry import BUILT_IN

_LISTS = ("symbols", "channels", "signals", "subjects")
"""Fields that hold several values, written with commas between them."""


def run_list(server_dir: Path, *, as_object: bool) -> int:
    """Print all rules and what fires; returns the exit code.

    A file of rules that cannot be used is said to be so: its rules are not those in force.
    """
    settings = installation()
    with database_url(settings, server_dir) as url, open_database(url) as database:
        rules, firing = stored_rules(database), firing_alerts(database)
    fault = _fault(Path(settings.alerts_file))
    if as_object:
        content = {
            "rules": [_described(stored) for stored in rules],
            "firing": [_firing(alert) for alert in firing],
            "file_error": fault,
        }
        typer.echo(json.dumps(content))
    else:
        _print(rules, firing)
    if fault is None:
        return 0
    typer.echo(f"The alert rules stay as they were: {fault}", err=True)
    return FAILED


def _fault(file: Path) -> str | None:
    """What is wrong with the file of rules; None where it is not there, or is as it should be."""
    if not file.exists():
        return None
    try:
        rules_in(file)
    except TradingError as error:
        return str(error)
    return None


def _print(rules: Sequence[StoredRule], firing: Sequence[FiringAlert]) -> None:
    if not rules:
        typer.echo("There are no alert rules yet; trading alerts add --help shows how to add one.")
    for stored in rules:
        fields = stored.rule.model_dump(mode="json", exclude_defaults=True)
        told = " ".join(f"{name}={_shown(value)}" for name, value in fields.items()
                        if name not in ("name", "kind"))  # fmt: skip
        typer.echo(f"{stored.rule.name}  {stored.rule.kind}  {told}  ({stored.origin})")
    for alert in firing:
        since = alert.since.strftime("%Y-%m-%d %H:%M UTC")
        typer.echo(f"FIRING since {since}  {alert.rule}  {alert.message}")


def run_add(
    rule: Mapping[str, str], fields: Sequence[str], server_dir: Path, *, as_object: bool
) -> None:
    """Store the rule.

    Raises:
        ParameterError: It is none, or the file of rules has one of its name.
    """
    made = alert_rule({**rule, **_fields(fields)})
    with database_url(installation(), server_dir) as url, open_database(url) as database:
        outcome = put_rule(database, made, "command", getpass.getuser())
    strategy = getattr(made, "strategy", None)
    if strategy is not None and strategy not in BUILT_IN:
        typer.echo(
            f"strategy={strategy!r} is none of {', '.join(BUILT_IN)}; the rule waits until one of "
            "your own of that name makes signals.", err=True,
        )  # fmt: skip
    content = {"status": outcome, "rule": made.model_dump(mode="json")}
    typer.echo(json.dumps(content) if as_object else f"The rule {made.name} is {outcome}.")


def run_remove(name: str, server_dir: Path, *, as_object: bool) -> None:
    """Remove the rule.

    Raises:
        ParameterError: There is none of the name, or the file of rules has it.
    """
    with database_url(installation(), server_dir) as url, open_database(url) as database:
        remove_rule(database, name)
    content = {"status": "removed", "name": name}
    typer.echo(json.dumps(content) if as_object else f"The rule {name} is removed.")


def _fields(texts: Sequence[str]) -> dict[str, Any]:
    """Fields of a rule as typed.

    Raises:
        ParameterError: One is not of the form FIELD=VALUE, or is given twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or name in found or name in ("name", "kind"):
            allowed = "of the form FIELD=VALUE, each field once"
            raise ParameterError("FIELD=VALUE", text, allowed, "write it like level=250")
        found[name] = _value(name, value)
    return found


def _value(name: str, text: str) -> Any:  # noqa: ANN401 - whatever the rule's model takes
    if name in _LISTS:
        return [word.strip() for word in text.split(",") if word.strip()]
    if text == "null":
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def _described(stored: StoredRule) -> dict[str, Any]:
    return {
        **stored.rule.model_dump(mode="json"),
        "enabled": stored.enabled,
        "origin": stored.origin,
        "created_by": stored.created_by,
        "updated_at": stored.updated_at.isoformat(),
    }


def _firing(alert: FiringAlert) -> dict[str, Any]:
    return {
        "rule": alert.rule,
        "subject": alert.subject,
        "since": alert.since.isoformat(),
        "severity": alert.severity,
        "message": alert.message,
    }


def _shown(value: Any) -> str:  # noqa: ANN401 - a rule's field
    """A field as `trading alerts add` takes it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)
