"""Live bars into the lake when their session is over, as the source `live` of bronze."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime

from adapters.market_data.bar_source import (
    Capability,
    Delivery,
    Reach,
    checked_request,
    no_actions,
    no_instruments,
)
from adapters.market_data.rows import delivery
from database.connection import Database
from database.live.bars import live_bars, live_symbols
from lake.bronze.keys import BronzeKey, Stretch
from lake.bronze.partition import PartitionRun
from lake.folders import LIVE
from lake.grain import Grain
from live.histories.bars import bars_of
from storage.directory import Directory
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars
from trading.errors import DataError
from trading.instruments.actions import CorporateAction
from trading.instruments.instrument import Instrument

logger = logging.getLogger(__name__)


class LiveBarSource:
    """The live minutes of the database as a source of bars, see `adapters.market_data.bar_source`.

    Args:
        database: Where they are.
    """

    name = LIVE

    def __init__(self, database: Database) -> None:
        self._database = database
        self.capability = Capability(
            reach={Interval.MINUTE: Reach()}, requests_per_second=None, max_parallel=1
        )

    def check_access(self) -> None:
        """Nothing: the database is open."""

    def bars(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> Delivery:
        """The latest revision of each minute.

        Raises:
            ParameterError: The request makes no sense.
            DatabaseError: The database does not answer.
        """
        checked_request(self, symbol, interval, start, end)
        found = live_bars(self._database, interval.value, start, end, [symbol])
        bars = bars_of(found) if found else Bars.empty(symbol)
        values = {name: getattr(bars, name) for name in VALUES}
        return delivery(
            self.name, symbol, timestamps=bars.timestamps, values=values, start=start, end=end
        )

    def actions(self, symbol: str, first: date, last: date) -> tuple[CorporateAction, ...]:  # noqa: ARG002 - the protocol's
        """None are known live.

        Raises:
            SourceError: Always.
        """
        raise no_actions(self, symbol)

    def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:  # noqa: ARG002 - the protocol's
        """None are listed.

        Raises:
            SourceError: Always.
        """
        raise no_instruments(self)


def archive_session(database: Database, lake: Directory, day: date) -> list[str]:
    """Write the live minutes of a session that is over, a file for each symbol.

    Written again they are the same files. A symbol whose minutes the lake's checks refuse is left
    out and said.

    Args:
        database: Where live bars are.
        lake: The lake.
        day: The session's New York date.

    Returns:
        The files' URLs.

    Raises:
        StorageError, DatabaseError: The lake or the database does not do it.
    """
    stretch = Stretch(day, Grain.SESSION)
    source = LiveBarSource(database)
    symbols = live_symbols(database, Interval.MINUTE.value, stretch.start, stretch.end)
    written = []
    for symbol in symbols:
        key = BronzeKey(symbol, stretch, Interval.MINUTE, LIVE)
        run = PartitionRun(
            directory=lake, source=source, key=key, expected=None,
            # A replay tells sessions at any time: what counts is that this one is over.
            now=max(datetime.now(UTC), stretch.end), flow_run_id="",
        )  # fmt: skip
        try:
            written.append(run.run().url)
        except DataError as error:
            logger.error("Live minutes are not archived: %s", error)  # noqa: TRY400 - expected
    return written
