"""Results that the input no longer asks for: found, reported and, on request, removed.

They come from bars that were taken out of the input, from data that were replaced, from contracts
that left, or from another grain. No portfolio counts them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lake.keys import grain_of
from lake.market.request import MarketRequest
from lake.market.results import is_result
from lake.market.wanted import WantedResults, wanted_results
from storage.directory import Directory
from trading.instruments.symbols import CONTRACT_PATTERN


class Reason(StrEnum):
    """Why the input does not ask for a result."""

    CONTRACT = "the input has no such contract"
    BARS = "the input has no such bars"
    GRAIN = "of another grain"


@dataclass(frozen=True, slots=True)
class Orphan:
    """One orphaned result.

    Attributes:
        file: Its file, relative to the output directory.
        reason: Why the input does not ask for it.
    """

    file: str
    reason: Reason


def orphaned_results(request: MarketRequest, wanted: WantedResults | None = None) -> list[Orphan]:
    """The stored results that the input does not ask for, by file.

    What is not named like a result, or is none inside, is left alone: it is not ours.

    Args:
        request: Where to look and by which grain; at its contracts alone, whether the input has
            them or not, or at all.
        wanted: What the input asks for, when it is known already.

    Raises:
        DataError: The input cannot be used.
        StorageError: Input or results cannot be accessed.
    """
    directory, contracts = request.output_dir, request.contracts
    asked = wanted or wanted_results(request.market(), request.grain)
    folders = [
        name
        for name in directory.list_folders()
        if re.fullmatch(CONTRACT_PATTERN, name) and (contracts is None or name in contracts)
    ]
    found = directory.map(lambda contract: _orphans_of(directory, contract, asked), folders)
    return [orphan for orphans in found for orphan in orphans]


def _orphans_of(directory: Directory, contract: str, wanted: WantedResults) -> list[Orphan]:
    known = contract in wanted.contracts
    candidates = {
        f"{contract}/{name}": _reason(grain, wanted) if known else Reason.CONTRACT
        for name in directory.list_files(contract)
        if (grain := grain_of(name)) and not (known and name in wanted.names)
    }
    # One after the other: several contracts are looked at already at the same time.
    return [
        Orphan(file, reason)
        for file, reason in candidates.items()
        if is_result(directory, file, contract)
    ]


def _reason(grain: object, wanted: WantedResults) -> Reason:
    return Reason.BARS if grain is wanted.grain else Reason.GRAIN


def counted(orphans: Sequence[Orphan]) -> str:
    """`22 results: 20 the input has no such bars, 2 of another grain`."""
    by_reason = Counter(orphan.reason for orphan in orphans)
    reasons = ", ".join(f"{by_reason[r]:,} {r.value}" for r in Reason if by_reason[r])
    return f"{len(orphans):,} result{'' if len(orphans) == 1 else 's'}: {reasons}"


def remove_orphaned(directory: Directory, orphans: Sequence[Orphan]) -> None:
    """Remove these results from the output directory.

    Raises:
        StorageError: One cannot be removed; those before it are.
    """
    for orphan in orphans:
        directory.remove(orphan.file)
