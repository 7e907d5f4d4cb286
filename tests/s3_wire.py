"""A way to the S3 server that tests can cut, or make refuse."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress


class Wire:
    """A TCP connection to the server that can be unplugged, or answer 503 by itself.

    Attributes:
        endpoint_url: Where clients find it, instead of the server itself.
        refusals: How many of the next connections are answered 503.
        in_vain: How many connections it did not pass on.
        back_after: How many these are when it is plugged in again by itself.
        cut_at_result: It unplugs itself when a result of this number is to be stored.
        results: How many results it has let through.
    """

    def __init__(self, endpoint_url: str) -> None:
        self.refusals = 0
        self.in_vain = 0
        self.back_after = sys.maxsize
        self.cut_at_result = sys.maxsize
        self.results = 0
        self._unplugged = False
        host, _, port = endpoint_url.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def plug(self, *, connected: bool) -> None:
        self._unplugged = not connected
        while self._open:
            with suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.plug(connected=False)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.in_vain += self._unplugged or self.refusals > 0
                if self._unplugged:
                    # Before the client sees anything: what the test does then comes after it.
                    self._unplugged = self.in_vain < self.back_after
                    client.close()
                elif self.refusals:
                    self.refusals -= 1
                    client.recv(65_536)
                    client.sendall(_SLOW_DOWN)
                    client.close()
                else:
                    self._join(client)

    def _join(self, client: socket.socket) -> None:
        server = socket.create_connection(self._target)
        self._open += [client, server]
        for ends, seen in (((client, server), self._sent), ((server, client), None)):
            threading.Thread(target=_pump, args=(*ends, seen), daemon=True).start()

    def _sent(self, content: bytes) -> None:
        request = content.partition(b"\r\n")[0]
        if not (request.startswith(b"PUT ") and b".parquet" in request):
            return
        if self.results + 1 >= self.cut_at_result:
            self.cut_at_result = sys.maxsize
            self.plug(connected=False)
            raise ConnectionAbortedError
        self.results += 1


_SLOW_DOWN = (
    b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: 56\r\n\r\n"
    b"<Error><Code>SlowDown</Code><Message>x</Message></Error>"
)


def _pump(
    source: socket.socket, target: socket.socket, seen: Callable[[bytes], None] | None
) -> None:
    with suppress(OSError):
        while content := source.recv(65_536):
            if seen is not None:
                seen(content)
            target.sendall(content)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
