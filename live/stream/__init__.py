"""Ticks onto the bus: from vendors' streams, from the lake again, or made up."""
