"""Gold: indicators and signals of one strategy, symbol and interval, made from silver alone."""
