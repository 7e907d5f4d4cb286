"""How a flow ends when it cannot do its work: Failed, with one sentence, and no stack trace."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from prefect.client.schemas.objects import State
from prefect.states import Failed

from database.errors import DatabaseError
from flows.boundary.aws_credentials import use_credentials_block
from flows.boundary.preflight import check_places
from lake.errors import EXPECTED
from trading.errors import TradingError

P = ParamSpec("P")
R = TypeVar("R")


class StepError(TradingError):
    """A step before or after the fan-out did not complete.

    Args:
        step: The step's deployment.
        outcome: How its run ended.
        reason: Its state's message.
    """

    def __init__(self, step: str, outcome: str, reason: str) -> None:
        self.step = step
        self.outcome = outcome
        self.reason = reason
        super().__init__(f"{step} {outcome}: {reason}")

    def __reduce__(self) -> tuple[type["StepError"], tuple[str, str, str]]:
        return type(self), (self.step, self.outcome, self.reason)


class UnfinishedError(TradingError):
    """Some of a run's partitions are not done.

    Args:
        message: Which, and the commands that redo them.
        summary: What the flow would have returned.
    """

    def __init__(self, message: str, summary: Any) -> None:  # noqa: ANN401 - any flow's summary
        self.message = message
        self.summary = summary
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.summary)


def domain_errors_fail_run(
    function: Callable[P, Awaitable[R]],
) -> Callable[P, Awaitable[R | State[Any]]]:
    """Turn an error of the domain into the flow's Failed state, its message the error's.

    Credentials that the settings name are fetched first, and then the places that the run reads
    and writes are looked at, since both can fail the same way.

    An exception that leaves a flow is logged with a stack trace; a user who mistyped a contract
    should read one sentence. Errors of any other kind are bugs and keep their trace.
    """

    @functools.wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R | State[Any]:
        try:
            await use_credentials_block()
            await check_places(function, args, kwargs)
            return await function(*args, **kwargs)
        except (DatabaseError, *EXPECTED) as error:
            failed: State[Any] = Failed(message=str(error), data=error)
            return failed

    return run
