"""Servers on this machine from wheels: Prefect, S3, Postgres; start, watch, stop."""
