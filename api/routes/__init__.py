"""The routes under `/v1`, a module per subject."""

from __future__ import annotations

from api.routes import (
    alerts,
    backtests,
    bars,
    books,
    description,
    health,
    knowledge,
    market,
    risk,
    runs,
    stream,
)

ROUTERS = (
    bars.router,
    market.router,
    books.router,
    risk.router,
    alerts.router,
    knowledge.router,
    backtests.router,
    runs.router,
    health.router,
    description.router,
    stream.router,
)
"""All of them, in the order of the description."""
