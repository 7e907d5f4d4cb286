"""The alerts process as a program of its own, for tests that kill it: it sees all bars each time.

`python -m tests.live.alerts.alerting_process DATABASE_URL CHANNEL_URL`
"""

from __future__ import annotations

import random
import signal
import sys
import threading
from types import FrameType

from pydantic import SecretStr

from adapters.notifications.apprise_channel import channels
from database.alerts.telling import Addressees
from live.alerts.ports import BusEnds
from live.alerts.process import run_alerts
from live.alerts.watch import WatchOptions
from tests.live.alerts.kept_events import KeptEvents, Published
from tests.trading.alerts.given import bar
from trading.events import BarClosed

LEVEL = 100.0


def bars() -> list[BarClosed]:
    """Closes that cross the level often."""
    generator = random.Random(7)  # noqa: S311 - no secret
    return [bar(number, LEVEL + generator.choice((-1.0, 1.0))) for number in range(60)]


def main(database_url: str, channel_url: str) -> None:
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    run_alerts(
        database_url,
        BusEnds([KeptEvents(bars(), most_at_once=5)], Published()),
        channels({"desk": SecretStr(channel_url)}),
        WatchOptions(addressees=Addressees(("desk",)), wait_seconds=0.0),
        stop,
        per_minute=10_000,
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
