"""Sweeps: which parameter sets are tried, what each earns, and which of them means anything."""
