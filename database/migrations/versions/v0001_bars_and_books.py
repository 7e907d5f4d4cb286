"""Bars in tables by month, and the books on how they came there.

A bar is as `trading.bars.model` has it. Months are partitions that are made when first used; there
is no default partition, which would keep a month from being made or dropped without being read.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_BARS = """
CREATE TABLE bar_{interval} (
    symbol text NOT NULL,
    ts timestamptz NOT NULL,
    open float8 NOT NULL,
    high float8 NOT NULL,
    low float8 NOT NULL,
    close float8 NOT NULL,
    volume float8,
    vwap float8,
    trades bigint,
    source text NOT NULL,
    known_at timestamptz NOT NULL,
    run_id bigint NOT NULL,
    PRIMARY KEY (symbol, ts),
    -- Nothing compares as greater than infinity but NaN, so these keep out both.
    CONSTRAINT prices_in_order CHECK (
        low > 0 AND low <= least(open, close) AND high >= greatest(open, close)
        AND high < 'infinity'
    ),
    CONSTRAINT volume_not_negative CHECK (volume >= 0 AND volume < 'infinity'),
    CONSTRAINT vwap_finite CHECK (vwap > 0 AND vwap < 'infinity'),
    CONSTRAINT trades_not_negative CHECK (trades >= 0)
) PARTITION BY RANGE (ts)
"""

_BOOKS = """
CREATE TABLE load_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    symbol text NOT NULL,
    interval text NOT NULL,
    first_ts timestamptz NOT NULL,
    last_ts timestamptz NOT NULL,
    rows bigint NOT NULL,
    known_at timestamptz NOT NULL,
    digest bytea NOT NULL,
    timestamps bytea,
    inserted bigint,
    updated bigint,
    status text NOT NULL
        CHECK (status IN ('running', 'loaded', 'failed', 'interrupted', 'replaced')),
    flow_run_id uuid,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz
);
CREATE INDEX load_run_of_symbol ON load_run (symbol, interval, known_at);

CREATE TABLE correction (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol text NOT NULL,
    interval text NOT NULL,
    ts timestamptz NOT NULL,
    column_name text NOT NULL,
    old_value text,
    new_value text,
    known_at timestamptz NOT NULL,
    run_id bigint NOT NULL REFERENCES load_run
);
CREATE INDEX correction_of_bar ON correction (symbol, interval, ts);

CREATE TABLE gap (
    symbol text NOT NULL,
    interval text NOT NULL,
    session date NOT NULL,
    expected integer NOT NULL CHECK (expected >= 0),
    present integer NOT NULL CHECK (present >= 0),
    state text NOT NULL CHECK (state IN ('open', 'closed')),
    reason text NOT NULL,
    PRIMARY KEY (symbol, interval, session)
);

CREATE TABLE retention_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    interval text NOT NULL,
    month date NOT NULL,
    rows bigint,
    state text NOT NULL CHECK (state IN ('started', 'dropped', 'kept', 'failed', 'interrupted')),
    reason text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz
);
"""

_REFERENCE = """
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE instrument (
    id text PRIMARY KEY,
    symbol text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    exchange text NOT NULL,
    sector text NOT NULL,
    calendar text NOT NULL,
    increment numeric NOT NULL CHECK (increment > 0),
    listed date,
    delisted date,
    identifier text NOT NULL,
    CHECK (listed <= delisted)
);

CREATE TABLE symbol_history (
    symbol text NOT NULL,
    instrument_id text NOT NULL REFERENCES instrument DEFERRABLE INITIALLY DEFERRED,
    valid_from date NOT NULL,
    valid_to date,
    CHECK (valid_from < valid_to),
    PRIMARY KEY (symbol, valid_from),
    CONSTRAINT one_instrument_at_a_time
        EXCLUDE USING gist (symbol WITH =, daterange(valid_from, valid_to) WITH &&)
);

CREATE TABLE corporate_action (
    symbol text NOT NULL,
    ex_date date NOT NULL,
    kind text NOT NULL CHECK (kind IN ('split', 'dividend')),
    value float8 NOT NULL CHECK (value > 0 AND value < 'infinity'),
    currency text NOT NULL,
    known_at timestamptz,
    PRIMARY KEY (symbol, ex_date, kind)
);
"""


def upgrade() -> None:
    """Make the tables."""
    for interval in ("1m", "1d"):
        op.execute(_BARS.format(interval=interval))
    op.execute(_BOOKS)
    op.execute(_REFERENCE)


def downgrade() -> None:
    """Drop the tables: the lake fills them again."""
    op.execute(
        "DROP TABLE bar_1m, bar_1d, correction, load_run, gap, retention_log, symbol_history, "
        "instrument, corporate_action"
    )
