"""What is traded, and when: symbols, exchange time, the calendar of sessions."""
