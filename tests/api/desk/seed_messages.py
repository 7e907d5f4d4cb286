"""What was said on the seeded desk: alerts, news, facts of a company, signs of life."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

from tests.api.desk.seed_values import ACCOUNT, Connection, insert


def alerts(connection: Connection, now: datetime) -> None:
    """Two rules, one of which fires, and what both said."""
    rules = (
        ("nvda-below", {"type": "price", "symbol": "NVDA", "below": 140, "hysteresis": 0.5}),
        ("stale-data", {"type": "stale", "seconds": 600}),
        ("failed-partitions", {"type": "partition", "dataset": "silver"}),
    )
    insert(
        connection,
        "alert_rule",
        "name, definition, origin, created_by, created_at, updated_at",
        iter((n, json.dumps(d), "file", "alerts.yaml", now, now) for n, d in rules),
    )
    ago = timedelta
    events = (
        ("stale-data", "JPM", "firing", "critical",
         "JPM has had no bar for 11 minutes.", ago(hours=5)),
        ("stale-data", "JPM", "resolved", "info",
         "JPM has bars again.", ago(hours=4, minutes=54)),
        ("failed-partitions", "silver", "firing", "warning",
         "2 partitions of silver failed: XOM 2026-11-23, XOM 2026-11-24.", ago(hours=3)),
        ("nvda-below", "NVDA", "firing", "warning", "NVDA fell below 140.00.", ago(minutes=48)),
    )  # fmt: skip
    for number, (rule, subject, kind, severity, message, since) in enumerate(events):
        row = connection.execute(
            "INSERT INTO alert_event (rule, subject, kind, severity, message, at, identity) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
            [rule, subject, kind, severity, message, now - since, str(number)],
        ).fetchone()
        assert row is not None
        connection.execute(
            "INSERT INTO notification (event_id, channel, title, body, identity, state, "
            "not_before) VALUES (%s, 'mail', %s, %s, %s, 'sent', %s)",
            [row[0], rule, message, str(number), now - since],
        )
    states = (
        ("stale-data", "JPM", "ok", ago(hours=4, minutes=54)),
        ("failed-partitions", "silver", "firing", ago(hours=3)),
        ("nvda-below", "NVDA", "firing", ago(minutes=48)),
    )
    insert(
        connection,
        "alert_state",
        "rule, subject, state, since",
        iter((r, s, state, now - since) for r, s, state, since in states),
    )


def news(connection: Connection, now: datetime) -> None:
    """Articles of the last two days."""
    articles = (
        ("AAPL", "Apple beats estimates, raises guidance on services", 0.74, 35),
        ("NVDA", "Short interest in Nvidia surges ahead of export ruling", -0.52, 61),
        ("MSFT", "Microsoft signs ten-year power agreement for data centers", 0.21, 140),
        ("AAPL", "Apple supplier warns of weaker holiday orders", -0.44, 310),
        ("JPM", "JPMorgan to open 100 branches next year", 0.02, 500),
        ("AAPL", "What the new App Store terms mean for developers", 0.0, 900),
        ("META", "Meta faces new inquiry over teen safety", -0.38, 1300),
        ("XOM", "Exxon Mobil raises dividend for 42nd year", 0.58, 1800),
    )
    for number, (symbol, title, sentiment, minutes) in enumerate(articles):
        at = now - timedelta(minutes=minutes)
        label = "positive" if sentiment >= 0.05 else "negative" if sentiment <= -0.05 else "neutral"
        connection.execute(
            "INSERT INTO article (id, url, title, description, publisher, source, "
            "published_at, fetched_at, sentiment, label, scorer) VALUES "
            "(%s, %s, %s, %s, 'Newswire', 'newsapi', %s, %s, %s, %s, 'vader-finance-1')",
            [str(number), f"https://news.example/{number}", title,
             "The company said so on Tuesday, and analysts agreed.", at,
             at + timedelta(minutes=3), sentiment, label],
        )  # fmt: skip
        connection.execute(
            "INSERT INTO article_symbol (symbol, article_id) VALUES (%s, %s)",
            [symbol, str(number)],
        )


def company(connection: Connection, now: datetime) -> None:
    """What is known of Apple."""
    facts = {
        "profile": {
            "longName": "Apple Inc.", "sector": "Technology", "industry": "Consumer Electronics",
            "fullTimeEmployees": 164_000, "city": "Cupertino", "country": "United States",
            "website": "https://www.apple.com",
            "longBusinessSummary": "Apple designs, makes and sells smartphones, personal "
            "computers, tablets, wearables and accessories, and sells services around them.",
        },
        "statistics": {
            "marketCap": 3.42e12, "trailingPE": 36.8, "forwardPE": 29.4, "dividendYield": 0.44,
            "beta": 1.24, "sharesOutstanding": 1.51e10, "returnOnEquity": 1.57,
        },
        "holders": {"holders": [
            {"holder": "Vanguard Group Inc", "shares": 1.35e9, "share_held": 0.0893},
            {"holder": "Blackrock Inc.", "shares": 1.12e9, "share_held": 0.0742},
            {"holder": "Berkshire Hathaway, Inc", "shares": 3.0e8, "share_held": 0.0198},
        ]},
        "officers": {"officers": [
            {"name": "Timothy D. Cook", "title": "Chief Executive Officer", "age": 65},
            {"name": "Kevan Parekh", "title": "Chief Financial Officer"},
        ]},
    }  # fmt: skip
    for kind, content in facts.items():
        connection.execute(
            "INSERT INTO company_fact (symbol, kind, period, known_at, content, digest, "
            "source) "
            "VALUES ('AAPL', %s, %s, %s, %s, %s, 'yahoo')",
            [kind, date(2026, 11, 22), now - timedelta(days=3), json.dumps(content),
             kind.encode()],
        )  # fmt: skip


def services(connection: Connection, now: datetime) -> None:
    """Signs of life, a gap, and two entries of the audit."""
    beats = (
        ("stream", "running", 2), ("windows", "running", 1), ("signals", "running", 1),
        ("executor", "running", 2), ("alerts", "running", 3), ("notifications", "degraded", 40),
    )  # fmt: skip
    insert(
        connection,
        "service_heartbeat",
        "service, instance, started_at, beat_at, state, detail",
        iter(
            (name, "1", now - timedelta(hours=6), now - timedelta(seconds=ago), state,
             json.dumps({"reason": "webhook answers 503"} if state == "degraded" else {}))
            for name, state, ago in beats
        ),
    )  # fmt: skip
    insert(
        connection,
        "gap",
        "symbol, interval, session, expected, present, state, reason",
        iter([("XOM", "1m", date(2026, 11, 23), 390, 381, "open", "not served")]),
    )
    insert(
        connection,
        "audit",
        "at, who, action, subject, why",
        iter(
            [
                (now - timedelta(days=2), "mara", "resume", ACCOUNT, "data feed is back"),
                (now - timedelta(days=2, hours=1), "watch", "halt", ACCOUNT, "stale data"),
            ]
        ),
    )
