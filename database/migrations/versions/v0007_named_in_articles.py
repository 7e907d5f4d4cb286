"""When each symbol was named as one that an article is about, and when the database knew."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

_COLUMNS = """
ALTER TABLE article_symbol
    -- A symbol may be named later than the article was first fetched, and nobody knew before then.
    -- Null where that was not noted: from when on the article itself is usable.
    ADD COLUMN named_at timestamptz,
    ADD COLUMN added_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX article_symbol_added ON article_symbol (added_at)
"""


def upgrade() -> None:
    """Add the columns."""
    op.execute(_COLUMNS)


def downgrade() -> None:
    """Drop the columns."""
    op.execute("ALTER TABLE article_symbol DROP COLUMN named_at, DROP COLUMN added_at")
