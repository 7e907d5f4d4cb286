"""What is told again: a lake with some sessions of made-up minutes, the first of them warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.filling import bring_up_to_date, fill_minutes
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from live.stream.replay import AFTER_CLOSE
from trading.bars.intervals import Interval
from trading.instruments.calendar import sessions


@dataclass(frozen=True, slots=True)
class Plan:
    """A replay.

    Attributes:
        folder: Where lake, servers and logs are.
        symbols: Whose minutes.
        warm_up: The first date that the lake has.
        first: The first date that is told.
        last: The last one.
        speed: Simulated seconds in a second.
        strategy: What runs on the bars.
        intervals: Of which bars; the executor trades on the first.
    """

    folder: Path
    symbols: tuple[str, ...]
    warm_up: date
    first: date
    last: date
    speed: float
    strategy: str
    intervals: tuple[str, ...]

    @property
    def lake(self) -> str:
        """The lake's folder."""
        return str(self.folder / "lake")

    @property
    def server_dir(self) -> Path:
        """Where the servers keep their data."""
        return self.folder / "servers"

    @property
    def days(self) -> list[date]:
        """The dates of the sessions that are told."""
        found: list[date] = sessions(self.first, self.last).dates.tolist()
        return found

    @property
    def begin(self) -> int:
        """The first open, nanoseconds since 1970 in UTC."""
        return int(sessions(self.first, self.last).opens.astype(np.int64)[0])

    @property
    def end(self) -> int:
        """The last time that is told."""
        return int(sessions(self.first, self.last).closes.astype(np.int64)[-1]) + AFTER_CLOSE

    def make_lake(self) -> None:
        """Raw minutes of all sessions; bars of the warm-up alone, as on the first morning."""
        fill_minutes(self.lake, self.symbols, self.warm_up, self.last)
        before = sessions(self.warm_up, self.first).dates[:-1].tolist()[-1]
        self._silver(before)

    def finish_lake(self) -> None:
        """What the evening of the last session brings: silver, and gold of the strategy."""
        self._silver(self.last)
        for symbol in self.symbols:
            gold = GoldRequest(
                lake_dir=self.lake, strategy=self.strategy, symbols=(symbol,),
                intervals=tuple(Interval(interval) for interval in self.intervals),
            )  # fmt: skip
            bring_up_to_date(GoldDataset(), gold, symbol)

    def _silver(self, last: date) -> None:
        for symbol in self.symbols:
            asked = SilverRequest(lake_dir=self.lake, symbols=(symbol,), last=last)
            for dataset in (SilverDataset(), SilverDaysDataset()):
                bring_up_to_date(dataset, asked, symbol)
