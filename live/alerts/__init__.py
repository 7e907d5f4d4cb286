"""Alerts: a process that looks at what the bus brings with all rules, and sends notifications."""
