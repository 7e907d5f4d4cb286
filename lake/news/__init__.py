"""News of the lake: the sentiments of the articles about each symbol, a file a month."""
