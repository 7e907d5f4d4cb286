"""Bringing a database up to date with a lake."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Protocol

import pyarrow as pa

from database.bars.retention import MonthOutcome, drop_expired_months, first_kept
from database.connection import Database
from database.errors import DatabaseError, UnreachableError, VerificationError
from flows.loading.bars import SymbolPlan, load_symbol, plan_symbol
from flows.loading.reference import copy_gaps, copy_reference
from flows.loading.verification import LakeVerification
from storage.directory import Directory
from storage.errors import FileError
from trading.bars.intervals import Interval
from trading.errors import TradingError

KEPT = (Interval.MINUTE, Interval.DAY)
"""The intervals that the database has tables for."""

Sources = Mapping[Interval, Mapping[str, Sequence[str]]]
"""By interval and symbol the sources, the one that counts first at the front."""


@dataclass(slots=True)
class LoadTotals:
    """What a run of the command did.

    Attributes:
        up_to_date: Files that were loaded before, as they are now.
        loaded: Files that this run loaded.
        bars: Bars in these.
        inserted: Those of them that were new.
        corrected: Those that were there with other values.
        replaced: Symbols whose bars were removed first, since other files count for them now.
        reference: Rows of instruments, symbols, actions and gaps that changed.
        failures: A sentence for each symbol or table that could not be loaded.
    """

    up_to_date: int = 0
    loaded: int = 0
    bars: int = 0
    inserted: int = 0
    corrected: int = 0
    replaced: int = 0
    reference: int = 0
    failures: list[str] = field(default_factory=list)


class LoadProgress(Protocol):
    """Is told how a load goes."""

    def phase(self, text: str) -> None:
        """Say what happens now."""

    def files(self, due: int, loaded: int, failed: int, rate: float) -> None:
        """Say how many files of how many are loaded, and how many in a second."""


class _Silent:
    def phase(self, text: str) -> None:
        """Say nothing."""

    def files(self, due: int, loaded: int, failed: int, rate: float) -> None:
        """Say nothing."""


SILENT = _Silent()


def load_lake(
    database: Database,
    lake: Directory,
    chosen: Sources,
    years: int,
    progress: LoadProgress = SILENT,
) -> LoadTotals:
    """Load what the database lacks of the chosen symbols, and the reference tables.

    Args:
        database: The database.
        lake: The lake.
        chosen: What to load.
        years: Years of bars that the database keeps.
        progress: Is told how it goes.

    Returns:
        What was done, and a sentence for each symbol or table that could not be loaded.

    Raises:
        UnreachableError: The database went away; what is loaded stays.
    """
    totals = LoadTotals()
    progress.phase("Comparing the lake with the database")
    try:
        totals.reference += copy_reference(database, lake)
    except (TradingError, FileError) as error:
        totals.failures.append(str(error))
    plans = list(
        _plans(database, lake, chosen, first_kept(years, datetime.now(UTC).date()), totals)
    )
    progress.phase(f"Loading {sum(len(plan.due) for plan in plans):,} files")
    _load_plans(database, plans, totals, progress)
    for interval, sources in chosen.items():
        try:
            totals.reference += copy_gaps(database, lake, interval, sources)
        except (TradingError, FileError) as error:
            totals.failures.append(str(error))
    return totals


def _plans(
    database: Database, lake: Directory, chosen: Sources, kept: date, totals: LoadTotals
) -> Iterator[SymbolPlan]:
    for interval, symbols in chosen.items():
        for symbol, sources in symbols.items():
            try:
                plan = plan_symbol(
                    lake, database, symbol, interval, sources=sources, first_kept=kept
                )
            except (TradingError, FileError) as error:
                totals.failures.append(str(error))
                continue
            totals.up_to_date += plan.up_to_date
            if plan.due or plan.replaces:
                yield plan


def _load_plans(
    database: Database, plans: Sequence[SymbolPlan], totals: LoadTotals, progress: LoadProgress
) -> None:
    """Load each plan; a file that cannot be loaded keeps only the rest of its symbol waiting."""
    due, begun = sum(len(plan.due) for plan in plans), time.monotonic()
    for plan in plans:
        totals.replaced += plan.replaces
        try:
            for result in load_symbol(database, plan):
                totals.loaded += 1
                totals.bars += result.rows
                totals.inserted += result.inserted
                totals.corrected += result.updated
                rate = totals.loaded / (time.monotonic() - begun)
                failed = len(totals.failures)
                progress.files(due, totals.loaded, failed, rate)
        except UnreachableError:
            raise
        except (TradingError, FileError, DatabaseError) as error:
            totals.failures.append(str(error))


def drop_old_months(
    database: Database, lake: Directory, years: int, today: date
) -> list[MonthOutcome]:
    """Drop the months that are too old, each only when the lake has all of it.

    Args:
        database: The database.
        lake: The lake.
        years: Years of bars that the database keeps.
        today: The day.

    Returns:
        What became of each; one that could not be compared or dropped is `failed`.

    Raises:
        DatabaseError: The database does not answer.
    """
    has = LakeVerification(lake)

    def verified(interval: Interval, symbol: str, month: date, stored: pa.Table) -> bool:
        try:
            return has(interval, symbol, month, stored)
        except (FileError, TradingError) as error:
            raise VerificationError(str(error)) from error

    return [
        outcome
        for interval in KEPT
        for outcome in drop_expired_months(database, interval, years, today, verified)
    ]
