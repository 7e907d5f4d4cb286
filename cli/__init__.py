"""The command line: `trading demo`, `trading up`."""
