"""Alpaca: a thin client of its trading interface, and its stream of trade updates."""
