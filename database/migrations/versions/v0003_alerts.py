"""Alert rules, what they said, and the outbox of notifications."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_TABLES = """
CREATE TABLE alert_rule (
    name text PRIMARY KEY,
    definition jsonb NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    origin text NOT NULL CHECK (origin IN ('command', 'file', 'api')),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE alert_state (
    rule text NOT NULL,
    subject text NOT NULL,
    state text NOT NULL CHECK (state IN ('ok', 'firing')),
    since timestamptz NOT NULL,
    last_sent_at timestamptz,
    memory jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (rule, subject)
);

CREATE TABLE alert_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule text NOT NULL,
    subject text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('firing', 'reminder', 'resolved')),
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    message text NOT NULL,
    at timestamptz NOT NULL,
    -- The rule, the subject and the bar or moment: one transition is told of once.
    identity text NOT NULL UNIQUE,
    -- When the bus had it; null until then.
    published_at timestamptz
);
CREATE INDEX alert_event_of_time ON alert_event (at);
CREATE INDEX alert_event_unpublished ON alert_event (id) WHERE published_at IS NULL;

CREATE TABLE notification (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id bigint REFERENCES alert_event,
    channel text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    identity text NOT NULL UNIQUE,
    -- 'sending' is committed before anything is sent: what a crash leaves so is 'unknown' for good.
    state text NOT NULL
        CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'unknown', 'muted')),
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz
);
CREATE INDEX notification_waiting ON notification (not_before) WHERE state = 'waiting';

CREATE TABLE delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notification_id bigint NOT NULL REFERENCES notification,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome text NOT NULL CHECK (outcome IN ('sent', 'refused', 'unknown')),
    reason text
);
CREATE INDEX delivery_of_time ON delivery (at);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(_TABLES)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("DROP TABLE delivery, notification, alert_event, alert_state, alert_rule")
