"""The description of the API, and what it measures of itself."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.envelope import JSON, encoded
from api.metrics import exposed

router = APIRouter(include_in_schema=False)


@router.get("/v1/openapi.json")
def openapi(request: Request) -> Response:
    """The description of the API."""
    return Response(encoded(request.app.openapi()), media_type=JSON)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """What the process measures of itself, as Prometheus reads it."""
    content, media_type = exposed(request.app)
    return Response(content, media_type=media_type)
