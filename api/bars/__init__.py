"""Bars and indicators: from the database, the lake and the live windows, as one answer."""
