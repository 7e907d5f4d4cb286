"""Alerts in the database: rules, states, events, and the outbox of notifications."""
