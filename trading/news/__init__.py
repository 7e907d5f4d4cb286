"""News: canonical addresses, sentiment, and a symbol's score as of a moment."""
