"""The flows of backtests."""
