"""What live processes say: bars as their windows close, signals, states, signs of life."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

_TABLES = """
CREATE TABLE live_bar (
    symbol text NOT NULL,
    interval text NOT NULL,
    ts timestamptz NOT NULL,
    open float8 NOT NULL,
    high float8 NOT NULL,
    low float8 NOT NULL,
    close float8 NOT NULL,
    volume float8 NOT NULL,
    vwap float8,
    trades bigint,
    revision integer NOT NULL CHECK (revision >= 0),
    available_at timestamptz NOT NULL,
    PRIMARY KEY (symbol, interval, ts)
);
CREATE INDEX live_bar_of_time ON live_bar (ts);

CREATE TABLE signal (
    strategy text NOT NULL,
    fingerprint text NOT NULL,
    symbol text NOT NULL,
    interval text NOT NULL,
    ts timestamptz NOT NULL,
    signal text NOT NULL CHECK (signal IN ('buy', 'hold', 'sell')),
    target float8,
    close float8 NOT NULL,
    values jsonb NOT NULL DEFAULT '{}',
    revision integer NOT NULL CHECK (revision >= 0),
    available_at timestamptz NOT NULL,
    PRIMARY KEY (strategy, fingerprint, symbol, interval, ts)
);
CREATE INDEX signal_of_symbol ON signal (symbol, ts);

-- What a consumer of the bus has to know to go on: its open windows and where it was.
CREATE TABLE consumer_state (
    consumer text NOT NULL,
    shard text NOT NULL,
    bus_offset text NOT NULL,
    state bytea NOT NULL,
    saved_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, shard)
);

-- What live streams are asked for.
CREATE TABLE subscription (
    symbol text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE service_heartbeat (
    service text NOT NULL,
    instance text NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('starting', 'running', 'degraded', 'stopped')),
    detail jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (service, instance)
);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(_TABLES)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("DROP TABLE live_bar, signal, consumer_state, subscription, service_heartbeat")
