"""A file object over what can only be fetched by ranges, in as few fetches as Parquet allows."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

TAIL_BYTES = 65_536
"""Least that is fetched of an object's end: a Parquet footer, and all of a small file."""


class ObjectReader(io.RawIOBase):
    """An object of known size, read by ranges; a read outside the end of it is one request.

    The first read fetches at least `TAIL_BYTES` of the end, where a Parquet file has its footer,
    and keeps them: of a small file no second request is made.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        """Nothing is fetched yet.

        Args:
            size: Length of the object in bytes.
            fetch: The bytes start <= position < end of it.
        """
        super().__init__()
        self._size, self._fetch = size, fetch
        self._position = 0
        self._tail_start = size
        self._tail = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position; costs nothing."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}
        self._position = max(0, base[whence] + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill the buffer from here on, short at the end only."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def read(self, size: int | None = -1) -> bytes:
        """Read from here on; of what lies in the kept end, without a request."""
        length = self._size
        start = self._position
        end = length if size is None or size < 0 else min(length, start + size)
        if start >= end:
            return b""
        if not self._tail:
            self._tail_start = max(0, self._size - max(TAIL_BYTES, end - start))
            self._tail = self._fetch(self._tail_start, self._size)
        if start >= self._tail_start:
            content = self._tail[start - self._tail_start : end - self._tail_start]
        else:
            content = self._fetch(start, end)
        self._position = end
        return content
