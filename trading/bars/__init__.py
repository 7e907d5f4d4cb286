"""Bars and the series beside them: their model, their quality, synthetic ones."""
