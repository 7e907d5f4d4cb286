"""What is asked of bronze, as one value that is built at the edge and travels whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from lake.grain import Grain
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.symbols import checked_contract

GRAINS = (Grain.SESSION, Grain.MONTH, Grain.YEAR)
"""What a partition of bronze may cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BronzeRequest:
    """Which bars of which symbols should be there, of one source.

    Attributes:
        source: The source's name.
        interval: Length of a bar.
        symbols: One or more different symbols.
        first: First New York date.
        last: Last New York date, included.
        grain: What a partition covers where none is stored yet.
        lake_dir: The lake: a folder or fsspec URL.
        source_dir: The folder of the source `files`; None for the others.
        timezone: Of times in these files that name none.
        reprocess: Whether partitions that are up to date are fetched as well.
        only: Files to look at, relative to the lake; None for all.

    Raises:
        ParameterError: A value cannot be used.
    """

    source: str
    interval: Interval
    symbols: tuple[str, ...]
    first: date
    last: date
    grain: Grain
    lake_dir: str
    source_dir: str | None = None
    timezone: str | None = None
    reprocess: bool = False
    only: frozenset[str] | None = None

    def __post_init__(self) -> None:
        names = list(self.symbols)
        if not names or len(set(names)) != len(names):
            allowed = "a list of one or more different symbols"
            raise ParameterError("symbols", names, allowed, "name each once, e.g. AAPL,MSFT")
        for name in names:
            checked_contract(name)
        if self.last < self.first:
            after = f"at or after start={self.first.isoformat()}"
            raise ParameterError("end", self.last.isoformat(), after, "exchange the two")
        if self.grain not in GRAINS:
            allowed = f"one of {', '.join(g.value for g in GRAINS)}"
            raise ParameterError("grain", self.grain.value, allowed, "choose one of them")


def usual_grain(interval: Interval) -> Grain:
    """What a partition covers unless told otherwise: a session of minutes, a year of days."""
    return Grain.SESSION if interval.is_intraday else Grain.YEAR
