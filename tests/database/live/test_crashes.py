"""Processes that crash at each start, as who begins them again says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cli.commands.live.all_in_one.crash_reports import CrashReports
from database.alerts.surveys import surveys
from database.connection import Database
from database.health import database_state
from database.live.crashes import crashing, report_crashes
from database.live.heartbeats import beat, heartbeats
from trading.alerts.observations import Finding
from trading.operations.crashes import Crashes

NOW = datetime.now(UTC)
SINCE = NOW - timedelta(minutes=3)
WINDOWS = Crashes("windows", SINCE, 7, "the disk is full.")
SENTENCE = (
    "windows is down: it crashed 7 times in the last 3 min, and is restarted with growing "
    "pauses; it last said: the disk is full"
)


def service_findings(database: Database) -> dict[str, Finding]:
    (found,) = [s for s in surveys(database, NOW) if s.kind == "service_down"]
    return {finding.subject: finding for finding in found.findings}


def test_a_report_is_no_sign_of_life_and_an_alarm(database: Database) -> None:
    """The signs of life between two crashes do not count."""
    for service in ("windows", "stream"):
        beat(database, service, "host:1", started_at=SINCE, state="running", detail={})
    report_crashes(database, "trading live on here", [WINDOWS])
    assert crashing(database) == [WINDOWS]
    assert [one.service for one in heartbeats(database)] == ["stream", "windows"]
    found = service_findings(database)
    assert (found["windows"].detail, found["windows"].is_wrong) == (SENTENCE, True)
    assert found["windows"].seconds == 180.0
    assert found["stream"].seconds < 60
    state = database_state(database.url)
    assert state.crashing == (WINDOWS,)
    assert {service for service, *_ in state.services} == {"stream", "windows"}
    report_crashes(database, "trading live on here", [])
    assert crashing(database) == []
    assert service_findings(database)["windows"].seconds < 60


def test_a_report_of_somebody_who_is_gone_counts_for_a_minute(database: Database) -> None:
    report_crashes(database, "trading live on here", [WINDOWS])
    with database.transaction() as rows:
        rows.execute("UPDATE service_heartbeat SET beat_at = now() - interval '61 seconds'")
    assert crashing(database) == []
    assert service_findings(database) == {}


def test_trading_live_prints_it_once_and_reports_it_until_it_is_over(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = CrashReports(database.url)
    reports.look([])
    for _ in range(3):
        reports.look([(WINDOWS, SENTENCE)])
    assert capsys.readouterr().err == f"{SENTENCE}.\n"
    assert crashing(database) == [WINDOWS]
    reports.look([])
    assert crashing(database) == []
    reports.look([(WINDOWS, SENTENCE)])
    reports.close()
    assert crashing(database) == []
    away = CrashReports("postgresql://nobody@127.0.0.1:1/x")
    away.look([(WINDOWS, SENTENCE)])
    away.close()
