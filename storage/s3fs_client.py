"""What this project needs of s3fs and fsspec beyond their documented files: here, and nowhere else.

s3fs keeps the session and its event loop; requests are made one level below its files, whose
caches and fall-backs would cost several requests where one does. That relies on

- `S3FileSystem._call_s3`, the coroutine behind the documented `call_s3`: it calls a method of
  aiobotocore's client and raises Python's errors for S3's;
- `fsspec.asyn.sync` and a filesystem's `loop`, in a thread of its own, which all calls share;
- `S3FileSystem.retries`, how often s3fs itself sends a request.

`tests/storage/s3/test_s3fs_client.py` fails when one of them changes. Loading this module loads
aiobotocore.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsspec.asyn import sync
from s3fs import S3FileSystem

if TYPE_CHECKING:
    from storage.s3 import S3Credentials

CONNECT_SECONDS, READ_SECONDS = 5, 20
"""How long a connection, and then an answer, may take before the request counts as failed."""

REQUEST_SECONDS = 120
"""How long one request may take in all: while a client waits for the store's leave to send a body,
the limits above do not hold."""

CONNECTIONS = 16
"""Requests of one process that may be under way at once."""


@dataclass(frozen=True, slots=True)
class S3Client:
    """Requests by an s3fs filesystem, each sent once; safe to share among threads.

    Attributes:
        filesystem: The s3fs filesystem.
    """

    filesystem: Any

    @classmethod
    def of(cls, credentials: S3Credentials) -> S3Client:
        """A client with these credentials and, for the rest, the AWS environment."""
        filesystem = S3FileSystem(
            key=credentials.access_key_id,
            secret=credentials.secret_access_key,
            token=credentials.session_token,
            endpoint_url=credentials.endpoint_url,
            profile=credentials.profile,
            # None leaves either to the AWS environment.
            client_kwargs={"region_name": credentials.region, "verify": credentials.verify},
            config_kwargs={
                # Retries are ours alone: three layers of them would multiply.
                "retries": {"mode": "standard", "total_max_attempts": 1},
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": READ_SECONDS,
                "max_pool_connections": CONNECTIONS,
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        filesystem.retries = 1
        filesystem.loop.set_exception_handler(_without_lost_connections)
        return cls(filesystem)

    def request(self, method: str, **arguments: object) -> dict[str, Any]:
        """The answer of one method of S3's, such as `head_object`.

        Raises:
            OSError: Python's error for S3's, which is its cause, or a connection's.
            TimeoutError: It took longer than `REQUEST_SECONDS`.
        """

        async def ask() -> dict[str, Any]:
            async with asyncio.timeout(REQUEST_SECONDS):
                reply: dict[str, Any] = await self.filesystem._call_s3(method, **arguments)  # noqa: SLF001 - see the module's docstring
                return reply

        answer: dict[str, Any] = sync(self.filesystem.loop, ask)
        return answer

    def body(self, method: str, **arguments: object) -> bytes:
        """The body of the answer; raises what `request` does."""

        async def read() -> bytes:
            async with asyncio.timeout(REQUEST_SECONDS):
                answer = await self.filesystem._call_s3(method, **arguments)  # noqa: SLF001 - as above
                # In the same loop as the request.
                async with answer["Body"] as stream:
                    return bytes(await stream.read())

        content: bytes = sync(self.filesystem.loop, read)
        return content


def _without_lost_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Leave out of the log what aiohttp leaves behind when a connection breaks.

    Its task that sends a request's body fails unseen; the request itself fails too, and says so.
    """
    unseen = "future" in context and isinstance(context.get("exception"), ConnectionError)
    if not unseen:
        loop.default_exception_handler(context)
