"""Articles with their sentiment, and what is known of companies."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

_TABLES = """
CREATE TABLE article (
    -- Of the canonical URL.
    id text PRIMARY KEY,
    url text NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    publisher text NOT NULL,
    source text NOT NULL,
    published_at timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL,
    usable_from timestamptz NOT NULL
        GENERATED ALWAYS AS (greatest(published_at, fetched_at)) STORED,
    sentiment float8 NOT NULL CHECK (sentiment BETWEEN -1 AND 1),
    label text NOT NULL CHECK (label IN ('positive', 'neutral', 'negative')),
    scorer text NOT NULL,
    -- When the bus had it; null until then.
    sent_to_bus_at timestamptz
);
CREATE INDEX article_not_on_bus ON article (usable_from) WHERE sent_to_bus_at IS NULL;
CREATE INDEX article_of_time ON article (usable_from);

CREATE TABLE article_symbol (
    symbol text NOT NULL,
    article_id text NOT NULL REFERENCES article ON DELETE CASCADE,
    PRIMARY KEY (symbol, article_id)
);

CREATE TABLE company_fact (
    symbol text NOT NULL,
    kind text NOT NULL CHECK (
        kind IN ('profile', 'officers', 'statistics', 'holders', 'income', 'balance', 'cashflow')
    ),
    -- The period that it is of; of what has none, the day it was first known.
    period date NOT NULL,
    known_at timestamptz NOT NULL,
    content jsonb NOT NULL,
    digest bytea NOT NULL,
    source text NOT NULL,
    PRIMARY KEY (symbol, kind, period, known_at)
);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(_TABLES)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("DROP TABLE company_fact, article_symbol, article")
