"""Alerts: what fired, what fires now, and the rules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime

from api.envelope import Answer, Answered
from api.parameters import DEFAULT_ROWS, Cursor, End, Limit, Name, Start, window
from api.repeats import Body, IdempotencyKey, once
from api.routes.listing import listed
from api.security import Trader
from database.alerts.rules import put_rule, remove_rule
from database.api.listed import ALERT_RULES, ALERT_STATES, ALERTS
from database.connection import Database
from database.orders.audit import audit
from trading.alerts.rules import NAME_PATTERN, AlertRule

router = APIRouter(prefix="/v1", tags=["alerts"])

RuleName = Annotated[str, Path(pattern=NAME_PATTERN, description="The rule's name.")]


class Alert(Answered):
    """A rule began to fire, still does, or ended; fields as in `trading.events.AlertChanged`."""

    id: int
    rule: str
    subject: str
    kind: Literal["firing", "reminder", "resolved"]
    severity: Literal["info", "warning", "critical"]
    message: str
    at: AwareDatetime


class AlertNow(Answered):
    """How a rule stands with a subject.

    Attributes:
        rule: Its name.
        subject: What of, e.g. a symbol.
        state: Whether it fires.
        since: Since when.
        last_sent_at: When it was last notified.
    """

    rule: str
    subject: str
    state: Literal["ok", "firing"]
    since: AwareDatetime
    last_sent_at: AwareDatetime | None


class Rule(Answered):
    """An alert rule as it is stored.

    Attributes:
        name: Its name.
        definition: What it looks at; see `POST /v1/alerts/rules`.
        enabled: Whether it is looked at.
        origin: Who made it: a command, the file of rules, or the API.
        created_by: The user or key that did.
        created_at: When it was made.
        updated_at: When it was last changed.
    """

    name: str
    definition: dict[str, Any]
    enabled: bool
    origin: Literal["command", "file", "api"]
    created_by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class NewRule(Body):
    """A rule to store."""

    rule: AlertRule


class RuleChanged(Answered):
    """What became of a rule."""

    name: str
    outcome: Literal["added", "changed", "unchanged", "removed"]


@router.get("/alerts", summary="Alerts", response_model=Answer[list[Alert]])
def alerts(
    request: Request,
    *,
    rule: Name = None,
    subject: Annotated[
        str | None,
        Query(max_length=128, pattern=r"^[^\x00]+$", description="Only of this subject."),
    ] = None,
    severity: Annotated[
        Literal["info", "warning", "critical"] | None, Query(description="Only these.")
    ] = None,
    start: Start = None,
    end: End = None,
    limit: Limit = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Response:
    """What rules said, the newest first."""
    first, last = window(start, end)
    filters = {
        "rule": rule,
        "subject": subject,
        "severity": severity,
        "start": first,
        "end": last,
    }
    return listed(request, ALERTS, filters, cursor=cursor, limit=limit)


@router.get("/alerts/states", summary="Firing alerts", response_model=Answer[list[AlertNow]])
def states(
    request: Request,
    *,
    state: Annotated[Literal["ok", "firing"] | None, Query(description="Only these.")] = "firing",
    limit: Limit = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Response:
    """How rules stand, by rule and subject."""
    return listed(request, ALERT_STATES, {"state": state}, cursor=cursor, limit=limit)


@router.get("/alerts/rules", summary="Alert rules", response_model=Answer[list[Rule]])
def rules(request: Request, *, limit: Limit = DEFAULT_ROWS, cursor: Cursor = None) -> Response:
    """The rules, by name."""
    return listed(request, ALERT_RULES, {}, cursor=cursor, limit=limit)


@router.post("/alerts/rules", summary="Add an alert rule", response_model=Answer[RuleChanged])
def add_rule(
    request: Request, caller: Trader, body: NewRule, idempotency_key: IdempotencyKey
) -> Response:
    """Store a rule; one of its name is replaced, and what it said counts no more."""
    rule = body.rule

    def do(database: Database) -> RuleChanged:
        outcome = put_rule(database, rule, "api", caller.name)
        audit(
            database.rows, who=caller.name, action="put alert rule", subject=rule.name,
            why="asked for", detail={"outcome": outcome},
        )  # fmt: skip
        return RuleChanged(name=rule.name, outcome=outcome)

    return once(request, caller, idempotency_key, body, do)


@router.delete(
    "/alerts/rules/{name}", summary="Remove an alert rule", response_model=Answer[RuleChanged]
)
def delete_rule(
    request: Request, caller: Trader, name: RuleName, idempotency_key: IdempotencyKey
) -> Response:
    """Remove a rule; what it said stays in the list of alerts."""

    def do(database: Database) -> RuleChanged:
        remove_rule(database, name)
        audit(
            database.rows, who=caller.name, action="remove alert rule", subject=name,
            why="asked for",
        )  # fmt: skip
        return RuleChanged(name=name, outcome="removed")

    return once(request, caller, idempotency_key, Body(), do)
