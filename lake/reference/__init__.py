"""Reference data: instruments, the history of their symbols, corporate actions, universes."""
