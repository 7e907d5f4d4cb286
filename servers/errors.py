"""What ends a command with one sentence on standard error instead of a traceback."""

from __future__ import annotations

FAILED = 1
USAGE = 2
INTERRUPTED = 130
TERMINATED = 143


class CommandError(Exception):
    """A command cannot go on; the message is one sentence that names the way out.

    Args:
        message: What is wrong and what to do next.
        exit_code: `USAGE` when other arguments would help, `FAILED` otherwise.
    """

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class InUseError(CommandError):
    """Another process does already what this one was started for."""
