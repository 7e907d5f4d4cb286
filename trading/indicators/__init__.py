"""Numbers over a window of bars, each at its own bar and from nothing after it."""
