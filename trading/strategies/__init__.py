"""Strategies: from bars and their context to signals as of each bar."""
