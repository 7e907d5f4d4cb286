"""One broadcast to many viewers, none of which can slow the others.

A frame says how things stand; a viewer that has not taken the last one gets the next in its place,
so each holds at most one. A notice says what happened and is never replaced: a viewer that leaves
too many of them waiting is let go with a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator

MOST_NOTICES = 1_000
"""Notices that may wait for one viewer."""

TOO_SLOW = "too slow: notices waited longer than can be kept"


class ViewerDroppedError(Exception):
    """The broadcast has let a viewer go; the message is the reason."""


class Viewer:
    """What waits for one viewer; belongs to the event loop of the broadcast."""

    def __init__(self) -> None:
        self._frame: bytes | None = None
        self._notices: deque[bytes] = deque()
        self._dropped: str | None = None
        self._waiting = asyncio.Event()
        self.replaced = 0

    def offer(self, frame: bytes) -> None:
        """Let this frame wait, in place of one that was not taken."""
        self.replaced += self._frame is not None
        self._frame = frame
        self._waiting.set()

    def tell(self, notice: bytes) -> None:
        """Let this notice wait behind the others."""
        if len(self._notices) >= MOST_NOTICES:
            self.drop(TOO_SLOW)
            return
        self._notices.append(notice)
        self._waiting.set()

    def drop(self, reason: str) -> None:
        """Let the viewer go."""
        self._dropped = self._dropped or reason
        self._notices.clear()
        self._waiting.set()

    async def next(self) -> bytes:
        """The next notice, or else the frame, once there is one.

        Raises:
            ViewerDroppedError: The viewer was let go.
        """
        while True:
            if self._dropped is not None:
                raise ViewerDroppedError(self._dropped)
            if self._notices:
                return self._notices.popleft()
            if self._frame is not None:
                frame, self._frame = self._frame, None
                return frame
            self._waiting.clear()
            await self._waiting.wait()


class Broadcast:
    """Those who look, and what is sent to all of them; used by one event loop."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()

    def __len__(self) -> int:
        """How many look."""
        return len(self._viewers)

    @contextlib.contextmanager
    def viewer(self) -> Iterator[Viewer]:
        """A viewer for the time of the block."""
        viewer = Viewer()
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    def publish_frame(self, frame: bytes) -> None:
        """Show all viewers how things stand."""
        for viewer in self._viewers:
            viewer.offer(frame)

    def publish_notice(self, notice: bytes) -> None:
        """Tell all viewers what happened."""
        for viewer in self._viewers:
            viewer.tell(notice)

    def drop_all(self, reason: str) -> None:
        """Let all viewers go."""
        for viewer in self._viewers:
            viewer.drop(reason)
