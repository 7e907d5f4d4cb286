"""The smallest dataset there is: a day's values of a symbol, added up into a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from lake.dataset import Wanted
from lake.files import FileLineage, stored_fingerprints, write_file
from storage.directory import Directory, open_directory
from trading.errors import DataError, ParameterError

OPEN = "open"
"""Ends the line of a day whose values its source may still correct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SumRequest:
    """Which sums are asked for."""

    source: Directory
    target: Directory
    factor: int = 1
    symbols: tuple[str, ...] | None = None
    only: frozenset[str] | None = None
    reprocess: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """One symbol's day."""

    symbol: str
    day: str

    @property
    def label(self) -> str:
        return f"{self.symbol} {self.day}"

    @property
    def relative_path(self) -> str:
        return f"sums/{self.symbol}/{self.day}.parquet"


class Sums:
    """Reads `SYMBOL.txt`, a line of values for each day: `2024-01-02 1 2 3`."""

    name = "sums"

    def symbols(self, request: SumRequest) -> Sequence[str]:
        known = [name.removesuffix(".txt") for name in request.source.list_files("")]
        asked = known if request.symbols is None else request.symbols
        if unknown := set(asked) - set(known):
            raise ParameterError("symbols", min(unknown), f"one of {known}", "correct it")
        return asked

    def wanted(self, request: SumRequest, symbol: str) -> list[Wanted[Day]]:
        return [
            Wanted(Day(symbol, day), None if OPEN in values else _print(values, request.factor))
            for day, values in _days(request, symbol).items()
        ]

    def stored(self, request: SumRequest, symbol: str) -> Mapping[str, str]:
        return stored_fingerprints(request.target, f"sums/{symbol}", self.name, symbol)

    def compute(self, request: SumRequest, key: Day, flow_run_id: str) -> str:
        values = _days(request, key.symbol)[key.day]
        numbers = [value for value in values if value != OPEN]
        try:
            total = request.factor * sum(map(int, numbers))
        except ValueError as error:
            raise DataError(key.label, f"not all of {numbers} are numbers", "mend it") from error
        lineage = FileLineage(self.name, key.symbol, _print(values, request.factor), flow_run_id)
        table = pa.table({"sum": [total]})
        return write_file(request.target, key.relative_path, table, lineage)

    def parameters(self, request: SumRequest, key: Day) -> Mapping[str, object]:
        return {
            "symbol": key.symbol,
            "day": key.day,
            "factor": request.factor,
            "source": request.source.location,
            "target": request.target.location,
        }


SUMS = Sums()


def sum_request(folder: Path, **fields: object) -> SumRequest:
    """A request for what lies in a folder, with these fields beside the places."""
    source = open_directory(str(folder / "input"), "source")
    target = open_directory(str(folder / "output"), "target")
    return SumRequest(source=source, target=target, **fields)  # type: ignore[arg-type] # any of its fields


def write_days(folder: Path, symbol: str, *lines: str) -> None:
    """Write the input of one symbol."""
    (folder / "input").mkdir(exist_ok=True)
    (folder / "input" / f"{symbol}.txt").write_text("\n".join(lines))


def _days(request: SumRequest, symbol: str) -> dict[str, list[str]]:
    lines = request.source.read_bytes(f"{symbol}.txt").decode().splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines}


def _print(values: Sequence[str], factor: int) -> str:
    return hashlib.blake2b(repr((values, factor)).encode(), digest_size=16).hexdigest()
