"""Backtests as datasets: one file a parameter set and account, and one a walk-forward fold."""
