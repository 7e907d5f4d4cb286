"""The routes under `/v1`, a module per subject."""

from __future__ import annotations

from api.routes import (
    alerts,
    bars,
    books,
    description,
    health,
    knowledge,
    market,
    risk,
    stream,
    work,
)

ROUTERS = (
    bars.router,
    market.router,
    books.router,
    risk.router,
    alerts.router,
    knowledge.router,
    work.router,
    health.router,
    description.router,
    stream.router,
)
"""All of them, in the order of the description."""
