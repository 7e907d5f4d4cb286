"""What an ingestion did, as data: for an artifact, a table or the next step of a flow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from adapters.market_data.protocol import ClosePrices
from lake.market.ingestion.merging import Merged
from trading.errors import TradingError
from trading.instruments.clock import to_datetime


class SymbolStatus(StrEnum):
    """How it went with one symbol."""

    UPDATED = "updated"
    CURRENT = "current"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SymbolSummary:
    """How it went with one symbol.

    Attributes:
        symbol: The contract, or the source's name of the index.
        status: `updated` when bars are new or restated, `current` when none are, `failed`.
        rows: Bars stored now.
        new: Bars among them that were not stored before.
        restated: Stored bars whose value the source has changed.
        first: Start of the first stored bar, New York time; None without any.
        last: Start of the last stored bar, New York time; None without any.
        reason: Why it failed; what is stored of the symbol is then what was stored before.
    """

    symbol: str
    status: SymbolStatus
    rows: int
    new: int
    restated: int
    first: datetime | None
    last: datetime | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class IngestionSummary:
    """What an ingestion did.

    Attributes:
        source: Name of the source.
        interval: Length of a bar, `1h` or `1d`.
        first_session: First New York date that was asked for and had complete bars.
        last_session: Last such date.
        symbols: One entry per contract asked for, in the user's order.
        vix: The VIX.
        spx: The S&P 500.
        files: URLs of the files written; none when everything was current.
        kept_copy: URL of the folder that holds what the files were before, when that was not of
            an earlier ingestion from the same source.
        input_dir: URL of the directory that holds the bars now.
        interval_folder: Its name below the directory that was asked for, because that one holds
            bars of another interval; None when it is that one.
    """

    source: str
    interval: str
    first_session: date
    last_session: date
    symbols: tuple[SymbolSummary, ...]
    vix: SymbolSummary
    spx: SymbolSummary
    files: tuple[str, ...]
    kept_copy: str | None
    input_dir: str
    interval_folder: str | None

    @property
    def contracts(self) -> list[str]:
        """The contracts that did not fail, in the user's order: what a fan-out may run over."""
        return [s.symbol for s in self.symbols if s.status is not SymbolStatus.FAILED]

    @property
    def failed(self) -> list[SymbolSummary]:
        """The contracts that failed."""
        return [s for s in self.symbols if s.status is SymbolStatus.FAILED]


class IngestionError(TradingError):
    """An ingestion that came to nothing; the files are as they were.

    Args:
        source: Name of the source.
        problem: What failed, with the source's reasons.
        transient: Whether running again can help.
    """

    def __init__(self, source: str, problem: str, *, transient: bool) -> None:
        self.source = source
        self.problem = problem
        self.transient = transient
        next_step = "run again later" if transient else "check the symbols and the dates"
        super().__init__(f"nothing was ingested from {source}: {problem}; {next_step}.")

    def __reduce__(self) -> tuple[object, ...]:
        """Prefect pickles exceptions between processes; one argument goes by keyword."""
        return _ingestion_error, (self.source, self.problem, self.transient)


def _ingestion_error(source: str, problem: str, transient: bool) -> IngestionError:  # noqa: FBT001 - called by pickle
    return IngestionError(source, problem, transient=transient)


def succeeded(symbol: str, merged: Merged) -> SymbolSummary:
    """The summary of a symbol that was fetched."""
    changed = merged.new or merged.restated
    status = SymbolStatus.UPDATED if changed else SymbolStatus.CURRENT
    first, last = _range(merged.prices)
    return SymbolSummary(
        symbol, status, len(merged.prices), merged.new, merged.restated, first, last
    )


def failed(symbol: str, stored: ClosePrices, reason: str) -> SymbolSummary:
    """The summary of a symbol that could not be fetched, of which `stored` remains."""
    first, last = _range(stored)
    return SymbolSummary(symbol, SymbolStatus.FAILED, len(stored), 0, 0, first, last, reason)


def _range(prices: ClosePrices) -> tuple[datetime | None, datetime | None]:
    if not len(prices):
        return None, None
    return to_datetime(prices.timestamps[0]), to_datetime(prices.timestamps[-1])
