"""Postgres: the fast copy of what the lake holds, its schema, and one module per table group."""
