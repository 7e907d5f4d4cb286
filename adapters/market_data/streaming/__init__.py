"""Vendors' streams of trades: what is said on the wire, in which order."""
