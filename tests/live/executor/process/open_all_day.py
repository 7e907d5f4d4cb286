"""`trading live executor` where the exchange never closes, for tests that trade at any hour.

`python -m tests.live.executor.process.open_all_day live executor --symbols ...`
"""

from __future__ import annotations

import time
from typing import Literal

import numpy as np

from cli.app import main
from cli.commands.live.services import executor
from trading.execution.hours import TradingHours

DAY = 24 * 3600 * 10**9


def one_long_session(clock: Literal["wall", "events"]) -> TradingHours:
    now = time.time_ns()
    return TradingHours(np.array([now - 10 * DAY]), np.array([now + 10 * DAY]))


if __name__ == "__main__":
    executor.trading_hours = one_long_session
    main()
