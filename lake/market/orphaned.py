"""Results that the input no longer asks for: found, told and, when somebody says so, removed.

They come from bars that were taken out of the input, from data that were replaced, from contracts
that left, or from another grain. No portfolio counts them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lake.market.results import is_result
from lake.market.wanted import Wanted
from lake.status import grain_of
from storage.directory import Directory, open_directory
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


def orphaned_results(
    output_dir: str, wanted: Wanted, contracts: Collection[str] | None = None
) -> list[Orphan]:
    """The stored results that the input does not ask for, by file.

    What is not named like a result, or is none inside, is left alone: it is not ours.

    Args:
        output_dir: Where the results are.
        wanted: What the input asks for.
        contracts: Contracts to look at, whether the input has them or not; None for all.

    Raises:
        ParameterError: `output_dir` is not usable.
        StorageError: It cannot be accessed.
    """
    directory = open_directory(output_dir, "output_dir")
    folders = [
        name
        for name in directory.list_folders()
        if re.fullmatch(CONTRACT_PATTERN, name) and (contracts is None or name in contracts)
    ]
    found = directory.map(lambda contract: _orphans_of(directory, contract, wanted), folders)
    return [orphan for orphans in found for orphan in orphans]


def _orphans_of(directory: Directory, contract: str, wanted: Wanted) -> list[Orphan]:
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


def _reason(grain: object, wanted: Wanted) -> Reason:
    return Reason.BARS if grain is wanted.grain else Reason.GRAIN


def counted(orphans: Sequence[Orphan]) -> str:
    """`22 results: 20 the input has no such bars, 2 of another grain`."""
    by_reason = Counter(orphan.reason for orphan in orphans)
    reasons = ", ".join(f"{by_reason[r]:,} {r.value}" for r in Reason if by_reason[r])
    return f"{len(orphans):,} result{'' if len(orphans) == 1 else 's'}: {reasons}"


def remove_orphaned(output_dir: str, orphans: Sequence[Orphan]) -> None:
    """Remove these results.

    Raises:
        ParameterError: `output_dir` is not usable.
        StorageError: One cannot be removed; those before it are.
    """
    directory = open_directory(output_dir, "output_dir")
    for orphan in orphans:
        directory.remove(orphan.file)
