"""Longer bars from shorter ones: within a session by minutes, over sessions by blocks."""
