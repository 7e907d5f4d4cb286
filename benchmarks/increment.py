"""What the next session costs a lake with one year of history, and one with five.

    uv run --extra lake python -m benchmarks.increment
    uv run --extra lake python -m benchmarks.increment --small

Two lakes of one symbol's minutes are brought up to the same day, and then get the same sessions,
one after the other and in turn. Of each layer it measures, in this process and in CPU seconds, to
plan what is due of the session's time and to compute it, as the layer's flow does for the same
`first` and `last`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from adapters.market_data.synthetic_bars import SyntheticBarSource
from benchmarks.filling import bring_up_to_date
from lake.bronze.dataset import BronzeDataset
from lake.bronze.request import BronzeRequest
from lake.dataset import Dataset, symbol_status
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.grain import Grain
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from trading.bars.intervals import Interval
from trading.instruments.calendar import sessions

SYMBOL = "AAPL"
HISTORY_ENDS = date(2024, 6, 28)
INCREMENTS_END = date(2024, 7, 31)
STEPS = ("bronze", "silver", "silver_days", "gold: plan", "gold: pass and write", "plan of all")

Planned = Sequence[tuple[Dataset[Any, Any], Any]]


@dataclass(slots=True)
class Lake:
    """A lake and the CPU seconds that its increments took.

    Attributes:
        folder: Where it is.
        first: Its first day.
        seconds: By step, of each increment.
    """

    folder: str
    first: date
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def fill(self) -> None:
        """Make its history."""
        days = sessions(self.first, HISTORY_ENDS).dates.tolist()
        print(f"making {len(days)} sessions ...", file=sys.stderr)
        for layer in (self.bronze(self.first, HISTORY_ENDS), *self.silver(None, None)):
            bring_up_to_date(*layer, SYMBOL)

    def increment(self, day: date) -> None:
        """Bring it up to date with one more session, and measure that."""
        silver, silver_days = self.silver(day, day)
        with self._measured("bronze"):
            bring_up_to_date(*self.bronze(day, day), SYMBOL)
        with self._measured("silver"):
            bring_up_to_date(*silver, SYMBOL)
        with self._measured("silver_days"):
            bring_up_to_date(*silver_days, SYMBOL)
        gold, request = GoldDataset(), self.gold(day, day)
        with self._measured("gold: plan"):
            (key,) = symbol_status(gold, request, SYMBOL).due(reprocess=False)
        with self._measured("gold: pass and write"):
            gold.compute(request, key, "")
        with self._measured("plan of all"):
            for dataset, asked in self.silver(None, None):
                symbol_status(dataset, asked, SYMBOL)

    def bronze(self, first: date, last: date) -> tuple[BronzeDataset, BronzeRequest]:
        """Bronze of some days."""
        request = BronzeRequest(
            source="synthetic",
            interval=Interval.MINUTE,
            symbols=(SYMBOL,),
            first=first,
            last=last,
            grain=Grain.SESSION,
            lake_dir=self.folder,
        )
        return BronzeDataset(SyntheticBarSource()), request

    def silver(self, first: date | None, last: date | None) -> Planned:
        """Silver of some days."""
        request = SilverRequest(lake_dir=self.folder, symbols=(SYMBOL,), first=first, last=last)
        return [(SilverDataset(), request), (SilverDaysDataset(), request)]

    def gold(self, first: date, last: date) -> GoldRequest:
        """Gold of some days."""
        return GoldRequest(
            lake_dir=self.folder,
            strategy="vegas_channel",
            symbols=(SYMBOL,),
            first=first,
            last=last,
        )

    @contextmanager
    def _measured(self, step: str) -> Iterator[None]:
        started = time.process_time()
        yield
        self.seconds.setdefault(step, []).append(time.process_time() - started)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a short run, to see that it works")
    small = parser.parse_args().small
    firsts = (
        (date(2024, 6, 24), date(2024, 6, 3)) if small else (date(2023, 7, 3), date(2019, 7, 1))
    )
    days = sessions(date(2024, 7, 1), INCREMENTS_END).dates.tolist()[: 2 if small else None]
    with tempfile.TemporaryDirectory() as name:
        lakes = [Lake(str(Path(name) / str(first)), first) for first in firsts]
        for lake in lakes:
            lake.fill()
        for day in days:
            for lake in lakes:
                lake.increment(day)
    short, long = lakes
    fewer, more = (len(sessions(lake.first, HISTORY_ENDS)) for lake in lakes)
    print(f"| one session more | after {fewer} | after {more} | ratio |\n|---|---:|---:|---:|")
    for step in STEPS:
        few, many = (statistics.median(lake.seconds[step]) for lake in (short, long))
        print(f"| {step} | {1000 * few:.1f} ms | {1000 * many:.1f} ms | {many / few:.2f} |")


if __name__ == "__main__":
    main()
