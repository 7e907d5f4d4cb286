"""Bars: loading, correcting, reading and dropping them."""
