"""What can go wrong, as a hierarchy whose members build their own one-sentence message.

TradingError
├── ParameterError   a value the user passed is not acceptable
└── DataError        the data are wrong; trying again gives the same answer
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


class TradingError(Exception):
    """Base of every error this package raises on purpose."""


class ParameterError(TradingError, ValueError):
    """A parameter has a value that cannot be used.

    The message names the parameter, the value, what is allowed and what to do next.
    """

    def __init__(self, parameter: str, value: object, allowed: str, next_step: str) -> None:
        self.parameter = parameter
        self.value = shown(value)
        self.allowed = allowed
        self.next_step = next_step
        super().__init__(f"{parameter}={self.value} is not {allowed}; {next_step}.")

    def __reduce__(self) -> tuple[type[ParameterError], tuple[str, object, str, str]]:
        """Prefect pickles exceptions between processes; the constructor takes four arguments."""
        return type(self), (self.parameter, self.value, self.allowed, self.next_step)


class DataError(TradingError):
    """The data cannot be used as they are, and will not change by trying again.

    Args:
        source: The file or column that is wrong.
        problem: What is wrong with it.
        next_step: What the user can do.
    """

    def __init__(self, source: str, problem: str, next_step: str) -> None:
        self.source = source
        self.problem = problem
        self.next_step = next_step
        super().__init__(f"{source}: {problem}; {next_step}.")

    def __reduce__(self) -> tuple[type[DataError], tuple[str, str, str]]:
        return type(self), (self.source, self.problem, self.next_step)
