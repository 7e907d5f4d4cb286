"""What can go wrong with files and places, each message one sentence that names the next step.

FileError
├── LocationError   a place that the user named cannot be used
├── ContentError    a file is not what it should be; trying again gives the same answer
└── StorageError    reading or writing failed; `transient` says whether a retry can help
"""

from __future__ import annotations

MAX_SHOWN = 120
"""Longest rendering of a user's value in a message: a 10 MB string must not fill the log."""


class Shown(str):
    """Text that is fit for a message: showing it again, in another process, leaves it as it is."""

    __slots__ = ()


def shown(value: object) -> Shown:
    """A value as it may stand in a message: its repr, printable and of bounded length."""
    if isinstance(value, Shown):
        return value
    sample = value[:MAX_SHOWN] if isinstance(value, str | bytes) else value
    text = ascii(sample) if isinstance(sample, str) else repr(sample)
    return Shown(text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}...")


class FileError(Exception):
    """Base of every error that this room raises on purpose."""


class LocationError(FileError, ValueError):
    """A parameter names a place that cannot be used.

    The message names the parameter, the value, what is allowed and what to do next.
    """

    def __init__(self, parameter: str, value: object, allowed: str, next_step: str) -> None:
        self.parameter = parameter
        self.value = shown(value)
        self.allowed = allowed
        self.next_step = next_step
        super().__init__(f"{parameter}={self.value} is not {allowed}; {next_step}.")

    def __reduce__(self) -> tuple[type[LocationError], tuple[str, object, str, str]]:
        """Exceptions are pickled between processes; the constructor takes four arguments."""
        return type(self), (self.parameter, self.value, self.allowed, self.next_step)


class ContentError(FileError):
    """A file cannot be used as it is, and will not change by trying again.

    Args:
        source: The file that is wrong.
        problem: What is wrong with it.
        next_step: What the user can do.
    """

    def __init__(self, source: str, problem: str, next_step: str) -> None:
        self.source = source
        self.problem = problem
        self.next_step = next_step
        super().__init__(f"{source}: {problem}; {next_step}.")

    def __reduce__(self) -> tuple[type[ContentError], tuple[str, str, str]]:
        return type(self), (self.source, self.problem, self.next_step)


class StorageError(FileError):
    """A file or object could not be read or written.

    Args:
        url: What was accessed, without credentials.
        problem: The reason.
        next_step: What the user can do.
        transient: Whether the same call may succeed later.
    """

    def __init__(self, url: str, problem: str, next_step: str, *, transient: bool = False) -> None:
        self.url = url
        self.problem = problem
        self.next_step = next_step
        self.transient = transient
        super().__init__(f"{url}: {problem}; {next_step}.")

    def __reduce__(self) -> tuple[object, ...]:
        return _storage_error, (self.url, self.problem, self.next_step, self.transient)


def _storage_error(url: str, problem: str, next_step: str, transient: bool) -> StorageError:  # noqa: FBT001 - called by pickle
    return StorageError(url, problem, next_step, transient=transient)
