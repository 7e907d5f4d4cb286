"""A way to a real server on which some requests meet a fault, for processes of their own.

Unlike `tests.fanout.wire` it stands on the network, so that a worker and its jobs meet it too.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Reply = bytes | None
"""What is answered instead of the server; None lets a request pass."""

_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


def answer(status: int, *headers: str) -> bytes:
    """A reply with this status and a body that explains nothing."""
    lines = [f"HTTP/1.1 {status} Fault", "content-type: application/json", *headers]
    return "\r\n".join([*lines, "content-length: 2", "", "{}"]).encode()


@dataclass
class FaultyServer:
    """The way to one server.

    Attributes:
        fault: Asked about the path of each request.
        port: Where it listens.
        disturbed: How often each path has met a fault.
    """

    target: tuple[str, int]
    fault: Callable[[str], Reply]
    port: int = 0
    disturbed: Counter[str] = field(default_factory=Counter)

    @property
    def api_url(self) -> str:
        """The server's API by this way."""
        return f"http://127.0.0.1:{self.port}/api"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side closes it."""
        onwards: asyncio.StreamWriter | None = None
        try:
            back, onwards = await asyncio.open_connection(*self.target)
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1]
                body = await reader.readexactly(_length(head))
                if reply := self.fault(path.decode()):
                    self.disturbed[path.decode()] += 1
                    writer.write(reply)
                    continue
                onwards.write(head + body)
                if b"\r\nupgrade: websocket" in head.lower():
                    await asyncio.gather(_pump(reader, onwards), _pump(back, writer))
                    return
                await _relay(back, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in (writer, onwards):
                if end is not None:
                    end.close()


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found.group(1)) if found else 0


async def _relay(back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass one reply on."""
    head = await back.readuntil(b"\r\n\r\n")
    writer.write(head)
    if b"transfer-encoding: chunked" in head.lower():
        while True:
            size = await back.readuntil(b"\r\n")
            writer.write(size + await back.readexactly(int(size, 16) + 2))
            if int(size, 16) == 0:
                break
    else:
        writer.write(await back.readexactly(_length(head)))
    await writer.drain()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await source.read(65_536):
            target.write(content)
            await target.drain()
    target.close()


@asynccontextmanager
async def faulty_server(
    api_url: str, fault: Callable[[str], Reply], port: int = 0
) -> AsyncIterator[FaultyServer]:
    """Such a way to the server at `api_url`; on a free port, or on the one given."""
    host, _, of_server = api_url.removeprefix("http://").partition("/")[0].partition(":")
    way = FaultyServer((host, int(of_server)), fault)
    listener = await asyncio.start_server(way.serve, "127.0.0.1", port)
    way.port = listener.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        listener.close()
