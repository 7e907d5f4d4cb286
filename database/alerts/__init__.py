"""Alerts in the database: rules, states, what was told, and the outbox of notifications."""
