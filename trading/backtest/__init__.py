"""Backtests: one engine bar by bar, what it is fed with, what its results say."""
