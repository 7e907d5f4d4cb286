"""Every failure as an envelope: what it says to people and programs, and nothing of ours inside."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from api.envelope import ApiError, error_response
from api.prefect_runs import DeploymentMissingError, ParametersRefusedError, RunsUnavailableError
from database.errors import DatabaseError
from storage.errors import FileError, LocationError
from trading.errors import ParameterError, TradingError, shown

_LOG = logging.getLogger(__name__)

_CODES = {401: "key_needed", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}


def install_handlers(app: FastAPI) -> None:
    """Make every failure of the app an envelope."""
    for kind in (ApiError, HTTPException, RequestValidationError, *_EXPECTED, Exception):
        app.add_exception_handler(kind, _answered)


_EXPECTED = (
    DatabaseError,
    FileError,
    TradingError,
    RunsUnavailableError,
    DeploymentMissingError,
    ParametersRefusedError,
)


async def _answered(connection: Request | WebSocket, error: Exception) -> Response:
    found = as_api_error(error)
    if found.status == HTTPStatus.METHOD_NOT_ALLOWED:
        found.headers["Allow"] = ", ".join(_methods(connection))
    if isinstance(connection, WebSocket):
        # Before it was accepted: the server answers 403.
        await connection.close(code=1008, reason=found.message[:120])
        return Response()
    if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        route = connection.scope.get("route")
        where = getattr(route, "path", "an unknown route")
        trace = None if isinstance(error, _EXPECTED) else error
        _LOG.error("%s %s failed: %s", connection.method, where, error, exc_info=trace)
    return error_response(found)


def _methods(connection: Request | WebSocket) -> list[str]:
    """The methods of a path, of all routes that have it."""
    routes = [route for route in connection.app.routes if isinstance(route, Route)]
    found = (
        route.methods or set() for route in routes if route.matches(connection.scope)[0] is not _NO
    )
    return sorted(set().union(*found))


_NO = Match.NONE


def as_api_error(error: Exception) -> ApiError:  # noqa: PLR0911 - one for each kind
    """What a failure is to the client."""
    match error:
        case ApiError():
            return error
        case RequestValidationError() | WebSocketRequestValidationError():
            return ApiError(422, "invalid_parameter", _invalid(error))
        case ParameterError() | LocationError():
            return ApiError(422, "invalid_parameter", str(error))
        case ParametersRefusedError():
            said = f"The flow does not take these parameters ({error})."
            return ApiError(422, "invalid_parameter", said)
        case DeploymentMissingError():
            said = f"The Prefect server has no deployment {error}; run trading register."
            return ApiError(503, "deployment_missing", said)
        case HTTPException():
            return _of_http(error)
    return _unavailable(error)


_UNAVAILABLE: dict[type[Exception], tuple[str, str]] = {
    DatabaseError: ("database_unavailable", "The database cannot answer now"),
    FileError: ("lake_unavailable", "A file of the lake cannot be read now"),
    RunsUnavailableError: ("prefect_unavailable", "The Prefect server does not answer now"),
}


def _unavailable(error: Exception) -> ApiError:
    """What is no fault of the request; nothing of the inside is repeated."""
    for kind, (code, said) in _UNAVAILABLE.items():
        if isinstance(error, kind):
            message = f"{said}; see /v1/health and the API's log, and try again."
            return ApiError(503, code, message, {"Retry-After": "1"})
    if isinstance(error, TradingError):
        return ApiError(409, "data_unusable", "The stored data cannot be used; see the API's log.")
    return ApiError(500, "internal_error", "This is a bug in the API; its log has the stack trace.")


_MOST_SAID = 200
"""Characters of what Pydantic says."""


def _invalid(error: RequestValidationError | WebSocketRequestValidationError) -> str:
    """The first thing that is wrong, with its value cut short."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    if first["type"] == "missing":
        return f"{shown(name)[1:-1]} is missing; send it."
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "it cannot be read")
        return f"The body is no JSON ({shown(str(reason))[1:-1]}); send a JSON object."
    value = "" if "secret" in name else f"={shown(first.get('input'))}"
    said = str(first["msg"]).replace("\n", " ")
    said = said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]}..."
    return f"{shown(name)[1:-1]}{value} cannot be used ({said}); see /v1/openapi.json."


def _of_http(error: HTTPException) -> ApiError:
    phrase = HTTPStatus(error.status_code).phrase
    code = _CODES.get(error.status_code, phrase.lower().replace(" ", "_"))
    return ApiError(
        error.status_code, code, f"{phrase}; see /v1/openapi.json for the routes.", error.headers
    )
