"""Checks of market data: functions from loaded series to findings."""
