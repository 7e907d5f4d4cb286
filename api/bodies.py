"""Bodies that are longer than any request needs are refused before they are read."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.envelope import ApiError, error_response

MOST_BYTES = 256 * 1024


class BodyLimit:
    """Refuses long bodies, by what they say of their length and by what comes.

    Args:
        app: What comes next.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared(scope) > MOST_BYTES:
            await error_response(_too_long())(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MOST_BYTES:
                raise _too_long()
            return message

        async def answered(message: Message) -> None:
            # What reads the body turns whatever happens there into an answer of its own.
            if read <= MOST_BYTES:
                await send(message)

        await self._app(scope, counted, answered)
        if read > MOST_BYTES:
            await error_response(_too_long())(scope, receive, send)


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


def _too_long() -> ApiError:
    return ApiError(
        413, "body_too_large", f"The body has more than {MOST_BYTES} bytes; send a shorter one."
    )
