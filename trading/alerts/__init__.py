"""Alerts: rules over bars, signals and the state of the platform, and what they have said."""
