"""The schema, as Alembic migrations that the package brings along."""
