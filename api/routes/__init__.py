"""The routes under `/v1`, a module per subject."""

from __future__ import annotations

from api.routes import bars, health

ROUTERS = (bars.router, health.router)
"""All of them, in the order of the description."""
