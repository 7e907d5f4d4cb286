"""What is asked of silver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from lake.folders import folders_in
from lake.silver.bronze_rows import BRONZE, bronze_symbols
from lake.stretch import symbols_of
from storage.directory import Directory, open_directory
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.symbols import checked_contract


@dataclass(frozen=True, slots=True, kw_only=True)
class SilverRequest:
    """Which bars to make, of which symbols, from where to where.

    Attributes:
        lake_dir: The lake's folder or URL.
        symbols: The symbols; none for all that bronze has.
        sources: Sources of bronze, the one that counts first at the front; none for the only one.
        first: First New York date; None for the first there is.
        last: Last one, included; None for the last there is.
        as_of: Bars over sessions take those that had ended by then, aware; None for all.
        reprocess: Whether partitions that are up to date are due as well.
        only: Files to look at, relative to the lake; None for all.
    """

    lake_dir: str
    symbols: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None
    as_of: datetime | None = None
    reprocess: bool = False
    only: frozenset[str] | None = None

    @property
    def lake(self) -> Directory:
        """The lake.

        Raises:
            LocationError: `lake_dir` is not usable.
        """
        return open_directory(self.lake_dir, "lake_dir")

    def symbols_in_bronze(self, intervals: Sequence[Interval]) -> Sequence[str]:
        """Those of the symbols asked for, or of all, that have bronze of one of the intervals.

        Raises:
            ParameterError: One is no symbol or has no bronze at all, or there are none; or there
                is no bronze of the sources.
        """
        stored = folders_in(self.lake, BRONZE)
        if self.sources and stored and not set(self.sources) & set(stored):
            raise ParameterError(
                "source", ",".join(self.sources), f"a source of the bronze in {self.lake_dir}",
                f"pass one of {', '.join(sorted(stored))}",
            )  # fmt: skip
        known = {
            interval: set(bronze_symbols(self.lake, interval, self.sources))
            for interval in (Interval.DAY, Interval.MINUTE)
        }
        named = self.symbols or (() if self.only is None else tuple(symbols_of(self.only)))
        every = set().union(*known.values())
        chosen = chosen_symbols(named, every, self.lake_dir, "bronze", "trading lake ingest")
        return [symbol for symbol in chosen if any(symbol in known[i] for i in intervals)]


def chosen_symbols(
    named: Sequence[str], known: set[str], lake_dir: str, layer: str, command: str
) -> Sequence[str]:
    """The symbols named, or all that are known.

    Args:
        named: Symbols; none for all.
        known: Symbols that the layer below has.
        lake_dir: The lake.
        layer: What that layer is called.
        command: The command that fills it.

    Raises:
        ParameterError: One is no symbol or unknown, or there are none.
    """
    for symbol in named:
        if checked_contract(symbol) not in known:
            raise ParameterError(
                "symbols", symbol, f"a symbol that {layer} has", f"fill it first with {command}"
            )
    chosen = list(dict.fromkeys(named)) or sorted(known)
    if not chosen:
        raise ParameterError(
            "lake_dir", lake_dir, f"a lake with any {layer}", f"fill it first with {command}"
        )
    return chosen
