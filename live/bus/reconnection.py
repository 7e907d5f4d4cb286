"""Ask again, with growing pauses, while there is no connection."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from live.errors import BusUnreachableError

PATIENCE_SECONDS = 120.0
"""How long a call waits for a bus that is away; then the process ends and is started again."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0

T = TypeVar("T")

logger = logging.getLogger(__name__)


def until_connected(
    ask: Callable[[], T],
    lost: tuple[type[Exception], ...],
    place: str,
    patience_seconds: float = PATIENCE_SECONDS,
) -> T:
    """What `ask` answers, however often it has to be asked.

    Args:
        ask: What to do; done twice it must do no harm.
        lost: The errors that mean that there is no connection. One of ours is raised as it is.
        place: Where the bus is, without a secret.
        patience_seconds: How long to go on.

    Raises:
        BusUnreachableError: There was no connection for that long.
    """
    deadline = time.monotonic() + patience_seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            return ask()
        except lost as error:
            if time.monotonic() + pause > deadline:
                if isinstance(error, BusUnreachableError):
                    raise
                raise BusUnreachableError(
                    f"The bus at {place} cannot be reached ({type(error).__name__}); start it "
                    "again, or correct TRADING_BUS_URL."
                ) from error
            if pause == _FIRST_PAUSE:
                logger.warning("The bus at %s is away; connecting again", place)
            # Jitter, so that not all processes come back in the same moment.
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_PAUSE)
