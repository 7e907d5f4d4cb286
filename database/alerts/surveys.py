"""What the database says of gaps, risk, reconciliation and services, for the rules about them."""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter

from database.connection import Database
from database.live.crashes import crashing
from database.live.heartbeats import Heartbeat, heartbeats
from trading.alerts.observations import Finding, Survey
from trading.alerts.rules import SurveyKind
from trading.instruments.clock import nanoseconds_of
from trading.operations.crashes import Crashes

_GAPS = """
SELECT symbol, interval, session, expected - present, reason FROM gap WHERE state = 'open'
"""

_RISK = "SELECT account_id, state, reason, is_closing FROM risk_state"

_RECONCILIATION = """
SELECT DISTINCT ON (account_id) account_id, agreed, jsonb_array_length(differences), id
FROM reconciliation WHERE agreed IS NOT NULL ORDER BY account_id, id DESC
"""


def surveys(database: Database, now: datetime) -> list[Survey]:
    """All that the database knows of the state of the platform at a moment."""
    with database.transaction() as connection:
        gaps = connection.execute(_GAPS).fetchall()
        risk = connection.execute(_RISK).fetchall()
        reconciliations = connection.execute(_RECONCILIATION).fetchall()
    last = {one.service: one for one in sorted(heartbeats(database), key=attrgetter("beat_at"))}
    down = {one.service: _crashing(now, one) for one in crashing(database)}
    found: dict[SurveyKind, list[Finding]] = {
        "gap": [_gap(*row) for row in gaps],
        "risk_state": [_risk(*row) for row in risk],
        "reconciliation": [_reconciliation(*row) for row in reconciliations],
        "service_down": [
            *(_service(now, last[name]) for name in sorted(last.keys() - down.keys())),
            *down.values(),
        ],
    }
    at = nanoseconds_of(now)
    return [Survey(kind, at, tuple(findings)) for kind, findings in found.items()]


def _gap(symbol: str, interval: str, session: object, missing: int, reason: str) -> Finding:
    subject = f"{symbol} {interval} {session}"
    why = f" ({reason})" if reason else ""
    return Finding(subject, is_wrong=True, detail=f"{subject} lacks {missing} bars{why}")


def _risk(account: str, state: str, reason: str, is_closing: object) -> Finding:
    why = f" because of {reason}" if reason else ""
    closing = ", and positions are being closed" if is_closing else ""
    detail = f"Trading of {account} is {state}{why}{closing}"
    return Finding(account, is_wrong=state != "ACTIVE", detail=detail, episode=state)


def _reconciliation(account: str, agreed: object, differences: int, number: int) -> Finding:
    if agreed:
        return Finding(account, is_wrong=False, detail=f"{account} and its broker agree")
    detail = f"{account} and its broker differ in {differences} points (reconciliation {number})"
    return Finding(account, is_wrong=True, detail=detail)


def _service(now: datetime, last: Heartbeat) -> Finding:
    silent = max(0.0, (now - last.beat_at).total_seconds())
    # A service that says that it stops was stopped by somebody.
    is_wrong = last.state != "stopped"
    detail = f"{last.service} has sent no heartbeat for {silent:.0f} s"
    return Finding(last.service, is_wrong=is_wrong, detail=detail, seconds=silent)


def _crashing(now: datetime, crashes: Crashes) -> Finding:
    """Its signs of life between the crashes do not count."""
    seconds = max(0.0, (now - crashes.since).total_seconds())
    return Finding(crashes.service, is_wrong=True, detail=crashes.sentence(now), seconds=seconds)
