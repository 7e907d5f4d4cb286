"""Keys of the API, and answers that a repeated request is given again."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

_TABLES = """
CREATE TABLE api_key (
    id text PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('reader', 'trader', 'admin')),
    secret_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX api_key_of_name ON api_key (name) WHERE revoked_at IS NULL;

CREATE TABLE answered_request (
    who text NOT NULL,
    idempotency_key text NOT NULL,
    route text NOT NULL,
    body_digest bytea NOT NULL,
    status integer,
    answer jsonb,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (who, idempotency_key)
);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(_TABLES)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("DROP TABLE answered_request, api_key")
