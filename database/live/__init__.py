"""What the live processes say and know: bars, signals, states of consumers, signs of life."""
