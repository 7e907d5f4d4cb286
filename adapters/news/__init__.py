"""News of companies: NewsAPI, Alpaca, and a synthetic source."""
