"""Processes that run all day: stream, windows, signals, alerts, executor; the event bus."""
