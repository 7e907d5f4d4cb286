"""From ticks to bars: a fold over the log of ticks, whose state can be stored and gone on from."""
