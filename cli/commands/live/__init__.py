"""`trading live` and what it consists of: streams, windows, signals, each a process of its own."""
