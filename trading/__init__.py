"""The trading domain: market data, analysis, validation, portfolio. Never imports Prefect."""
